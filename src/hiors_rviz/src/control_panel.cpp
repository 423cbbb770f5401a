// SPDX-License-Identifier: Apache-2.0

#include "hiors_rviz/control_panel.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <string>

#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>

#include "pluginlib/class_list_macros.hpp"
#include "rviz_common/config.hpp"
#include "rviz_common/display_context.hpp"
#include "rviz_common/ros_integration/ros_node_abstraction_iface.hpp"

namespace hiors_rviz
{

namespace
{

constexpr int kPatienceMs = 3000;
constexpr int kSilenceMs = 500;
constexpr int kSilentTurns = 4;  // ControlState comes at 5 Hz: 2 s without one is silence.
constexpr std::size_t kKept = 50;

QString titleOf(int authority, const QString & person)
{
  switch (authority) {
    case ControlState::HOLD: return "Holding";
    case ControlState::POLICY: return "Policy drives";
    case ControlState::HANDOVER: return "Handing over";
    case ControlState::HUMAN: return person.isEmpty() ? "Person drives" : person + " drives";
    case ControlState::STOPPED: return "Stopped";
    default: return "No news";
  }
}

// The colours of hiors_core.authority.COLOURS.
QString colourOf(int authority)
{
  switch (authority) {
    case ControlState::POLICY: return "#2f81f7";
    case ControlState::HANDOVER: return "#d29922";
    case ControlState::HUMAN: return "#2da66a";
    case ControlState::STOPPED: return "#e5484d";
    default: return "#8a94a3";
  }
}

std::string prefixOf(const QString & text)
{
  QString space = text.trimmed();
  while (space.startsWith('/')) {space.remove(0, 1);}
  while (space.endsWith('/')) {space.chop(1);}
  return space.isEmpty() ? std::string("/") : "/" + space.toStdString() + "/";
}

// The message when there is one, else what success means.
template<typename ResponseT>
QString wordsOf(const ResponseT & response)
{
  if (!response.message.empty()) {return QString::fromStdString(response.message);}
  return response.success ? "done" : "refused";
}

}  // namespace

ControlPanel::ControlPanel(QWidget * parent)
: rviz_common::Panel(parent)
{
  makeWidgets();
  connect(
    this, &ControlPanel::stateHeard, this, &ControlPanel::showState, Qt::QueuedConnection);
  connect(
    this, &ControlPanel::pendingHeard, this, &ControlPanel::showPending, Qt::QueuedConnection);
  connect(this, &ControlPanel::answered, this, &ControlPanel::showAnswer, Qt::QueuedConnection);
  silence_timer_ = new QTimer(this);
  connect(silence_timer_, &QTimer::timeout, this, &ControlPanel::checkSilence);
  showState(-1, "", "", QStringList(), 0.0);
}

ControlPanel::~ControlPanel()
{
  // Callbacks hold `this`: they end before the members do.
  state_subscription_.reset();
  episode_subscription_.reset();
}

void ControlPanel::onInitialize()
{
  const auto abstraction = getDisplayContext()->getRosNodeAbstraction().lock();
  if (!abstraction) {
    showAnswer(false, "RViz gave no ROS node.");
    return;
  }
  node_ = abstraction->get_raw_node();
  connectGraph();
  silence_timer_->start(kSilenceMs);
}

void ControlPanel::connectGraph()
{
  if (!node_) {return;}
  const std::string prefix = prefixOf(namespace_->text());
  state_subscription_.reset();
  episode_subscription_.reset();
  waiting_.clear();
  try {
    state_subscription_ = node_->create_subscription<ControlState>(
      prefix + "control/state", rclcpp::QoS(1).reliable().transient_local(),
      [this](ControlState::ConstSharedPtr message) {
        QStringList problems;
        for (const auto & problem : message->problems) {
          problems << QString::fromStdString(problem);
        }
        Q_EMIT stateHeard(
          message->authority, QString::fromStdString(message->reason),
          QString::fromStdString(message->operator_name), problems, message->rate_hz);
      });
    episode_subscription_ = node_->create_subscription<EpisodeStatus>(
      prefix + "episode/status", rclcpp::QoS(50).reliable().transient_local(),
      [this](EpisodeStatus::ConstSharedPtr message) {hearEpisode(*message);});
    authority_client_ = node_->create_client<SetAuthority>(prefix + "control/set_authority");
    label_client_ = node_->create_client<LabelEpisode>(prefix + "episode/label_episode");
  } catch (const std::exception & error) {
    showAnswer(false, QString("Namespace '%1': %2").arg(namespace_->text(), error.what()));
    return;
  }
  showState(-1, "", "", QStringList(), 0.0);
  showPending(0);
}

void ControlPanel::hearEpisode(const EpisodeStatus & status)
{
  const bool open = status.state == EpisodeStatus::SEALED || status.state == EpisodeStatus::LABELED;
  waiting_[status.episode_id] = open && status.outcome == 0;
  while (waiting_.size() > kKept) {waiting_.erase(waiting_.begin());}
  int count = 0;
  for (const auto & entry : waiting_) {count += entry.second ? 1 : 0;}
  Q_EMIT pendingHeard(count);
}

void ControlPanel::showState(
  int authority, const QString & reason, const QString & person, const QStringList & problems,
  double rate)
{
  silent_ = 0;
  authority_ = authority;
  if (authority != ControlState::HOLD) {human_ = authority == ControlState::HUMAN;}
  const bool known = authority >= 0;
  const bool stopped = authority == ControlState::STOPPED;
  title_->setText(titleOf(authority, person));
  title_->setStyleSheet(
    QString("font-size: 18pt; font-weight: 600; color: %1;").arg(colourOf(authority)));
  const QString why = problems.contains(reason) ? QString() : reason;
  reason_->setText(known ? QString("%1 (%2 Hz)").arg(why).arg(rate, 0, 'f', 1) : why);
  problems_->setText(problems.join("\n"));
  problems_->setVisible(!problems.isEmpty());
  toggle_->setText(human_ ? "Hand back" : "Take over");
  for (QPushButton * button : {toggle_, hold_, reset_}) {button->setEnabled(known && !stopped);}
  stop_->setVisible(!stopped);
  resume_->setVisible(stopped);
}

void ControlPanel::showPending(int count)
{
  pending_->setText(
    count == 0 ? QString("No episode waits for a label") :
    QString("%1 waiting for a label").arg(count));
}

void ControlPanel::showAnswer(bool good, const QString & text)
{
  answer_->setStyleSheet(good ? "color: #2da66a;" : "color: #e5484d;");
  answer_->setText(text);
}

void ControlPanel::checkSilence()
{
  if (authority_ >= 0 && ++silent_ > kSilentTurns) {
    showState(-1, "No news from the arbiter.", "", QStringList(), 0.0);
  }
}

void ControlPanel::ask(std::uint8_t request, const QString & what)
{
  auto call = std::make_shared<SetAuthority::Request>();
  call->request = request;
  call->operator_name = person();
  call->reason = what.toStdString() + " (rviz)";
  send<SetAuthority>(authority_client_, call, what);
}

void ControlPanel::label(std::uint8_t outcome, const QString & what)
{
  auto call = std::make_shared<LabelEpisode::Request>();
  call->outcome = outcome;
  call->labeler = person();
  call->source = "rviz";
  send<LabelEpisode>(label_client_, call, what);
}

template<typename ServiceT>
void ControlPanel::send(
  const typename rclcpp::Client<ServiceT>::SharedPtr & client,
  const typename ServiceT::Request::SharedPtr & request, const QString & what)
{
  if (!client || !client->service_is_ready()) {
    const QString name = client ? client->get_service_name() : "the service";
    showAnswer(false, QString("%1: nobody serves %2").arg(what, name));
    return;
  }
  showAnswer(true, what + " …");
  // The panel may be closed before the answer comes.
  const QPointer<ControlPanel> self(this);
  const auto sent = client->async_send_request(
    request, [self, what](typename rclcpp::Client<ServiceT>::SharedFuture future) {
      if (self) {
        const auto response = future.get();
        Q_EMIT self->answered(response->success, what + ": " + wordsOf(*response));
      }
    });
  const std::int64_t id = sent.request_id;
  QTimer::singleShot(
    kPatienceMs, this, [this, client, id, what]() {
      if (client->remove_pending_request(id)) {
        showAnswer(false, QString("%1: no answer from %2").arg(what, client->get_service_name()));
      }
    });
}

std::string ControlPanel::person() const
{
  const QString name = person_->text().trimmed();
  return name.isEmpty() ? std::string("operator") : name.toStdString();
}

QPushButton * ControlPanel::makeButton(const QString & text, const QString & tip)
{
  auto * button = new QPushButton(text);
  button->setToolTip(tip);
  button->setMinimumHeight(38);
  return button;
}

void ControlPanel::makeWidgets()
{
  auto * column = new QVBoxLayout(this);
  for (QLabel ** label : {&title_, &reason_, &problems_, &pending_, &answer_}) {
    *label = new QLabel();
    (*label)->setTextFormat(Qt::PlainText);
    (*label)->setWordWrap(true);
  }
  problems_->setStyleSheet("color: #d29922;");

  toggle_ = makeButton("Take over", "A person takes over from the measured pose, or hands back");
  hold_ = makeButton("Hold", "Nobody drives: the robot holds its position");
  reset_ = makeButton("Reset", "Targeted reset: to the home position under the limiter, then hold");
  stop_ = makeButton("STOP", "Software stop, latched until resumed. Not safety-rated.");
  stop_->setStyleSheet(
    "QPushButton {background-color: #d92d26; color: white; border: 1px solid #a51d17;"
    " border-radius: 6px; font-size: 16pt; font-weight: 800; padding: 6px;}"
    " QPushButton:pressed {background-color: #a51d17;}");
  resume_ = makeButton("Resume", "Leave STOPPED; the robot then holds");
  connect(
    toggle_, &QPushButton::clicked, this, [this]() {
      if (human_) {
        ask(SetAuthority::Request::POLICY, "Hand back");
      } else {
        ask(SetAuthority::Request::TAKE_OVER, "Take over");
      }
    });
  connect(
    hold_, &QPushButton::clicked, this, [this]() {ask(SetAuthority::Request::HOLD, "Hold");});
  connect(
    reset_, &QPushButton::clicked, this,
    [this]() {ask(SetAuthority::Request::HOME, "Reset to home");});
  connect(
    stop_, &QPushButton::clicked, this, [this]() {ask(SetAuthority::Request::STOP, "Stop");});
  connect(
    resume_, &QPushButton::clicked, this,
    [this]() {ask(SetAuthority::Request::RESUME, "Resume");});

  auto * moves = new QHBoxLayout();
  for (QPushButton * button : {toggle_, hold_, reset_}) {moves->addWidget(button);}

  struct Verdict
  {
    const char * text;
    std::uint8_t outcome;
  };
  auto * verdicts = new QHBoxLayout();
  for (const Verdict & verdict : {
      Verdict{"Success", LabelEpisode::Request::SUCCESS},
      Verdict{"Failure", LabelEpisode::Request::FAILURE},
      Verdict{"Discard", LabelEpisode::Request::DISCARD},
      Verdict{"Undo", LabelEpisode::Request::UNDO}})
  {
    auto * button = makeButton(verdict.text, "For the running or newest unlabelled episode");
    connect(button, &QPushButton::clicked, this, [this, verdict]() {
        label(verdict.outcome, verdict.text);
      });
    verdicts->addWidget(button);
  }

  person_ = new QLineEdit();
  person_->setPlaceholderText("operator");
  namespace_ = new QLineEdit();
  namespace_->setPlaceholderText("none");
  connect(person_, &QLineEdit::editingFinished, this, [this]() {Q_EMIT configChanged();});
  connect(
    namespace_, &QLineEdit::editingFinished, this, [this]() {
      if (namespace_->isModified()) {
        namespace_->setModified(false);
        connectGraph();
        Q_EMIT configChanged();
      }
    });
  auto * form = new QFormLayout();
  form->addRow("Your name", person_);
  form->addRow("Namespace", namespace_);

  column->addWidget(title_);
  column->addWidget(reason_);
  column->addWidget(problems_);
  column->addWidget(stop_);
  column->addWidget(resume_);
  column->addLayout(moves);
  column->addWidget(pending_);
  column->addLayout(verdicts);
  column->addWidget(answer_);
  column->addLayout(form);
  column->addStretch(1);
}

void ControlPanel::load(const rviz_common::Config & config)
{
  rviz_common::Panel::load(config);
  QString text;
  if (config.mapGetString("Operator", &text)) {person_->setText(text);}
  if (config.mapGetString("Namespace", &text)) {
    namespace_->setText(text);
    connectGraph();
  }
}

void ControlPanel::save(rviz_common::Config config) const
{
  rviz_common::Panel::save(config);
  config.mapSetValue("Operator", person_->text());
  config.mapSetValue("Namespace", namespace_->text());
}

}  // namespace hiors_rviz

PLUGINLIB_EXPORT_CLASS(hiors_rviz::ControlPanel, rviz_common::Panel)
