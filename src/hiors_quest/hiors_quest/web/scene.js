// SPDX-License-Identifier: Apache-2.0
// What the person sees in AR: one panel with the robot's state, and a dot on each controller. Knows no socket.

export const COLOURS = {
  NONE: "#8a94a3",
  HOLD: "#a9b4c2",
  POLICY: "#4c9dff",
  HANDOVER: "#f5b942",
  HUMAN: "#3ecf8e",
  STOPPED: "#ff5a52",
};
const PANEL = { width: 0.72, height: 0.27, distance: 1.1, drop: 0.32, pixels: [1024, 384] };
const DOT = 0.018;

const VERTEX = `
attribute vec2 corner; uniform mat4 projection, view, model; varying vec2 at;
void main() { at = corner + .5; gl_Position = projection * view * model * vec4(corner, 0., 1.); }`;
const FRAGMENT = `
precision mediump float; uniform sampler2D picture; uniform vec4 colour; uniform bool textured; varying vec2 at;
void main() {
  if (textured) gl_FragColor = texture2D(picture, vec2(at.x, 1. - at.y));
  else gl_FragColor = colour * smoothstep(.5, .42, distance(at, vec2(.5)));
}`;

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

// Column-major: a quad of this size at a position, upright, with its face turned by `heading` about y.
function upright([x, y, z], heading, width, height) {
  const s = Math.sin(heading), c = Math.cos(heading);
  return new Float32Array([width * c, 0, -width * s, 0, 0, height, 0, 0, s, 0, c, 0, x, y, z, 1]);
}

function headingOf({ x, y, z, w }) {
  return Math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y));
}

function rgba(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).concat(1);
}

export class Scene {
  #session; #gl; #layer; #at; #canvas; #panel = null; #fresh = true; #state = null;

  static async create(session) {
    const gl = document.createElement("canvas").getContext("webgl", { xrCompatible: true, alpha: true });
    if (!gl) throw new Error("This browser offers no WebGL, so no AR either.");
    await gl.makeXRCompatible();
    return new Scene(session, gl);
  }

  constructor(session, gl) {
    this.#session = session;
    this.#gl = gl;
    this.#layer = new XRWebGLLayer(session, gl, { alpha: true, antialias: true });
    session.updateRenderState({ baseLayer: this.#layer });
    const program = compile(gl);
    gl.useProgram(program);
    const uniforms = ["projection", "view", "model", "colour", "textured"];
    this.#at = Object.fromEntries(uniforms.map((n) => [n, gl.getUniformLocation(program, n)]));
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    const corners = new Float32Array([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]);
    gl.bufferData(gl.ARRAY_BUFFER, corners, gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#canvas = document.createElement("canvas");
    [this.#canvas.width, this.#canvas.height] = PANEL.pixels;
  }

  show(state) {
    const shown = JSON.stringify(state);
    this.#fresh ||= shown !== JSON.stringify(this.#state);
    this.#state = state;
  }

  draw(viewer, hands) {
    const gl = this.#gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#layer.framebuffer);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.#panel ??= this.#place(viewer.transform);
    if (this.#fresh) this.#paint();
    for (const view of viewer.views) {
      const { x, y, width, height } = this.#layer.getViewport(view);
      gl.viewport(x, y, width, height);
      gl.uniformMatrix4fv(this.#at.projection, false, view.projectionMatrix);
      gl.uniformMatrix4fv(this.#at.view, false, view.transform.inverse.matrix);
      this.#quad(this.#panel, null);
      this.#dots(hands, headingOf(viewer.transform.orientation));
    }
  }

  recentre() {
    this.#panel = null;
  }

  #place({ position, orientation }) {
    const heading = headingOf(orientation);
    const x = position.x - PANEL.distance * Math.sin(heading);
    const z = position.z - PANEL.distance * Math.cos(heading);
    return upright([x, position.y - PANEL.drop, z], heading, PANEL.width, PANEL.height);
  }

  #dots(hands, heading) {
    for (const { hand, engaged, latched } of this.#state?.hands ?? []) {
      if (!hands[hand]) continue;
      const colour = engaged ? COLOURS.HUMAN : latched ? COLOURS.HANDOVER : COLOURS.HOLD;
      this.#quad(upright(hands[hand].pose, heading, DOT, DOT), colour);
    }
  }

  #quad(model, colour) {
    const gl = this.#gl;
    gl.uniformMatrix4fv(this.#at.model, false, model);
    gl.uniform1i(this.#at.textured, colour ? 0 : 1);
    if (colour) gl.uniform4fv(this.#at.colour, rgba(colour));
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  #paint() {
    const draw = this.#canvas.getContext("2d");
    const [width, height] = PANEL.pixels;
    const { colour = COLOURS.NONE, title = "No news", lines = [] } = this.#state ?? {};
    draw.clearRect(0, 0, width, height);
    draw.fillStyle = "rgba(13, 17, 22, .86)";
    draw.beginPath();
    draw.roundRect(0, 0, width, height, 44);
    draw.fill();
    draw.fillStyle = colour;
    draw.beginPath();
    draw.roundRect(44, 48, 20, 108, 10);
    draw.fill();
    draw.font = "600 88px system-ui, sans-serif";
    draw.fillText(title, 96, 134, width - 140);
    draw.font = "42px system-ui, sans-serif";
    draw.fillStyle = "#e8edf3";
    lines.slice(0, 3).forEach((line, i) => draw.fillText(line, 48, 218 + 60 * i, width - 96));
    const gl = this.#gl;
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, this.#canvas);
    this.#fresh = false;
  }
}
