// SPDX-License-Identifier: Apache-2.0
// The panel: shows who drives and asks for changes, over topics and services only.

#ifndef HIORS_RVIZ__CONTROL_PANEL_HPP_
#define HIORS_RVIZ__CONTROL_PANEL_HPP_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <QString>
#include <QStringList>

#include "hiors_interfaces/msg/control_state.hpp"
#include "hiors_interfaces/msg/episode_status.hpp"
#include "hiors_interfaces/srv/label_episode.hpp"
#include "hiors_interfaces/srv/set_authority.hpp"
#include "rclcpp/rclcpp.hpp"
#include "rviz_common/panel.hpp"

class QLabel;
class QLineEdit;
class QPushButton;
class QTimer;

namespace hiors_rviz
{

using hiors_interfaces::msg::ControlState;
using hiors_interfaces::msg::EpisodeStatus;
using hiors_interfaces::srv::LabelEpisode;
using hiors_interfaces::srv::SetAuthority;

class ControlPanel : public rviz_common::Panel
{
  Q_OBJECT

public:
  explicit ControlPanel(QWidget * parent = nullptr);
  ~ControlPanel() override;

  void onInitialize() override;
  void load(const rviz_common::Config & config) override;
  void save(rviz_common::Config config) const override;

Q_SIGNALS:
  // From the thread that spins to the thread that draws, always queued.
  void stateHeard(
    int authority, const QString & reason, const QString & person, const QStringList & problems,
    double rate);
  void pendingHeard(int count);
  void answered(bool good, const QString & text);

private Q_SLOTS:
  void showState(
    int authority, const QString & reason, const QString & person, const QStringList & problems,
    double rate);
  void showPending(int count);
  void showAnswer(bool good, const QString & text);
  void connectGraph();
  void checkSilence();

private:
  void makeWidgets();
  QPushButton * makeButton(const QString & text, const QString & tip);
  void ask(std::uint8_t request, const QString & what);
  void label(std::uint8_t outcome, const QString & what);
  void hearEpisode(const EpisodeStatus & status);
  std::string person() const;

  template<typename ServiceT>
  void send(
    const typename rclcpp::Client<ServiceT>::SharedPtr & client,
    const typename ServiceT::Request::SharedPtr & request, const QString & what);

  rclcpp::Node::SharedPtr node_;
  rclcpp::Subscription<ControlState>::SharedPtr state_subscription_;
  rclcpp::Subscription<EpisodeStatus>::SharedPtr episode_subscription_;
  rclcpp::Client<SetAuthority>::SharedPtr authority_client_;
  rclcpp::Client<LabelEpisode>::SharedPtr label_client_;

  // Used in the thread that spins only: whether the episode waits for a label.
  std::map<std::string, bool> waiting_;

  int authority_ = -1;
  int silent_ = 0;
  bool human_ = false;
  QTimer * silence_timer_ = nullptr;
  QLabel * title_ = nullptr;
  QLabel * reason_ = nullptr;
  QLabel * problems_ = nullptr;
  QLabel * pending_ = nullptr;
  QLabel * answer_ = nullptr;
  QPushButton * toggle_ = nullptr;
  QPushButton * hold_ = nullptr;
  QPushButton * reset_ = nullptr;
  QPushButton * stop_ = nullptr;
  QPushButton * resume_ = nullptr;
  QLineEdit * person_ = nullptr;
  QLineEdit * namespace_ = nullptr;
};

}  // namespace hiors_rviz

#endif  // HIORS_RVIZ__CONTROL_PANEL_HPP_
