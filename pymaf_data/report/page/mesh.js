// A mesh to turn by hand: drawn by WebGL where there is some, else face by face.

const TURN_STEP = Math.PI / 24;
const SKIN = [0.84, 0.776, 0.722];

// Vertices of uint16 levels → Float32Array in metres about their middle, y up.
function unpackMesh(data, low, step) {
  const levels = new Uint16Array(data.buffer);
  const points = new Float32Array(levels.length);
  const least = [Infinity, Infinity, Infinity], most = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < levels.length; i++) {
    const axis = i % 3;
    const value = (low[axis] + step * levels[i]) * (axis ? -1 : 1);
    points[i] = value;
    least[axis] = Math.min(least[axis], value);
    most[axis] = Math.max(most[axis], value);
  }
  let size = 0;
  for (let axis = 0; axis < 3; axis++) size = Math.max(size, most[axis] - least[axis]);
  for (let i = 0; i < points.length; i++) points[i] = (points[i] - (least[i % 3] + most[i % 3]) / 2) * (1.8 / size);
  return points;
}

function vertexNormals(points, faces) {
  const normals = new Float32Array(points.length);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]), v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let k = 0; k < 3; k++) normals[i + k] /= length;
  }
  return normals;
}

const VERTEX = 'attribute vec3 at, normal; uniform mat3 turn; varying vec3 n; void main() { vec3 p = turn * at; n = turn * normal; gl_Position = vec4(p.xy, -0.4 * p.z, 1.0); }';
const FRAGMENT = 'precision mediump float; varying vec3 n; uniform vec3 skin; void main() { float lit = pow(0.5 + 0.5 * dot(normalize(n), normalize(vec3(-0.42, 0.55, 0.72))), 1.5); gl_FragColor = vec4(skin * (0.32 + 0.68 * lit), 1.0); }';

class MeshView {
  // A canvas that shows one body; arrow keys and dragging turn it.
  constructor(faces) {
    this.faces = faces;
    this.canvas = el('canvas', { class: 'mesh', width: 640, height: 640, tabindex: 0, role: 'img', 'aria-label': 'Body; drag or use the arrow keys to turn it' });
    this.gl = this.canvas.getContext('webgl', { antialias: true, alpha: true, preserveDrawingBuffer: true });
    if (this.gl) this.compile();
    this.canvas.addEventListener('pointerdown', (event) => { this.canvas.setPointerCapture(event.pointerId); this.held = [event.clientX, event.clientY]; });
    this.canvas.addEventListener('pointermove', (event) => {
      if (!this.held) return;
      this.turn((event.clientX - this.held[0]) / 120, (event.clientY - this.held[1]) / 120);
      this.held = [event.clientX, event.clientY];
    });
    for (const end of ['pointerup', 'pointercancel']) this.canvas.addEventListener(end, () => { this.held = null; });
    this.canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.turn(step[0] * TURN_STEP, step[1] * TURN_STEP);
    });
  }

  compile() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.enable(gl.DEPTH_TEST);
    this.program = program;
    this.buffers = ['at', 'normal'].map((name) => [gl.getAttribLocation(program, name), gl.createBuffer()]);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.faces, gl.STATIC_DRAW);
    gl.uniform3fv(gl.getUniformLocation(program, 'skin'), SKIN);
  }

  show(points) {
    this.points = points;
    this.normals = vertexNormals(points, this.faces);
    this.angles = [0, 0];
    const { gl } = this;
    if (gl) {
      this.buffers.forEach(([place, buffer], k) => {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.bufferData(gl.ARRAY_BUFFER, k ? this.normals : points, gl.STATIC_DRAW);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
      });
    }
    this.draw();
  }

  turn(about, tilt) {
    this.angles = [this.angles[0] + about, Math.max(-1.5, Math.min(1.5, this.angles[1] + tilt))];
    this.draw();
  }

  matrix() {
    const [a, b] = this.angles;
    const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    return [ca, 0, sa, sb * sa, cb, -sb * ca, -cb * sa, sb, cb * ca]; // rows
  }

  draw() {
    const m = this.matrix();
    if (!this.gl) return this.paint(m);
    const { gl } = this;
    gl.uniformMatrix3fv(gl.getUniformLocation(this.program, 'turn'), false, [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]]);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.drawElements(gl.TRIANGLES, this.faces.length, gl.UNSIGNED_SHORT, 0);
  }

  // Without WebGL: the faces from the farthest to the nearest.
  paint(m) {
    const context = this.canvas.getContext('2d'), { points, faces } = this, half = this.canvas.width / 2;
    const at = new Float32Array(points.length);
    for (let i = 0; i < points.length; i += 3) {
      for (let k = 0; k < 3; k++) at[i + k] = m[3 * k] * points[i] + m[3 * k + 1] * points[i + 1] + m[3 * k + 2] * points[i + 2];
    }
    const depth = (f) => at[3 * faces[f] + 2] + at[3 * faces[f + 1] + 2] + at[3 * faces[f + 2] + 2];
    const order = Array.from({ length: faces.length / 3 }, (_, k) => 3 * k).sort((a, b) => depth(a) - depth(b));
    context.clearRect(0, 0, 2 * half, 2 * half);
    for (const f of order) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const n = [0, 1, 2].map((k) => this.normals[a + k] + this.normals[b + k] + this.normals[c + k]);
      const turned = [0, 1, 2].map((k) => m[3 * k] * n[0] + m[3 * k + 1] * n[1] + m[3 * k + 2] * n[2]);
      if (turned[2] < -0.6) continue;
      const length = Math.hypot(...turned) || 1;
      const lit = 0.32 + 0.68 * Math.max(0, 0.5 + (0.5 * (-0.42 * turned[0] + 0.55 * turned[1] + 0.72 * turned[2])) / length) ** 1.5;
      context.fillStyle = context.strokeStyle = `rgb(${SKIN.map((part) => Math.round(255 * part * lit)).join(' ')})`;
      context.beginPath();
      for (const corner of [a, b, c]) context.lineTo(half * (1 + at[corner]), half * (1 - at[corner + 1]));
      context.closePath();
      context.fill();
      context.stroke();
    }
  }
}
