// One call: the recording plays, the transcript follows and leads, and each piece of evidence plays its own seconds.

const root = document.querySelector("[data-player]");
if (root) start(root);

function start(player) {
  const audio = player.querySelector("audio");
  const find = (name) => player.querySelector(`[data-${name}]`);
  const toggle = find("toggle");
  const said = find("said");
  const head = find("head");
  const position = find("position");
  const turns = [...document.querySelectorAll(".turn")].map((line) => ({ line, start: Number(line.dataset.start), end: Number(line.dataset.end) }));
  const list = document.querySelector("[data-turns]");
  const jumps = [...document.querySelectorAll("[data-seek]")];
  let until = null;
  let pressed = null;
  let current = null;

  const length = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : Number(player.dataset.seconds));

  audio.controls = false;
  audio.hidden = true;
  for (const part of [player.querySelector(".controls"), position, head]) part.hidden = false;
  for (const button of jumps) button.disabled = false;

  function release() {
    pressed?.setAttribute("aria-pressed", "false");
    pressed = null;
    until = null;
  }

  async function play() {
    try {
      await audio.play();
    } catch (error) {
      if (error.name !== "AbortError") fail();
    }
  }

  function fail() {
    said.textContent = player.dataset.failed;
    said.classList.add("tone-bad");
  }

  function seek(seconds) {
    audio.currentTime = Math.min(Math.max(seconds, 0), length());
    show();
  }

  function show() {
    const now = audio.currentTime;
    find("at").textContent = clock(now);
    position.value = now;
    position.setAttribute("aria-valuetext", clock(now));
    head.style.left = `${(100 * now) / length()}%`;
    if (until !== null && now >= until) {
      audio.pause();
      release();
    }
    follow(now);
  }

  function follow(now) {
    const spoken = turns.filter((turn) => turn.start <= now + 0.05).at(-1) ?? null;
    if (spoken === current) return;
    current?.line.removeAttribute("aria-current");
    current = spoken;
    if (!spoken) return;
    spoken.line.setAttribute("aria-current", "true");
    if (find("follow").checked && !audio.paused) bringIntoView(spoken.line);
  }

  // Within the list only: the page itself stays where the reader has it.
  function bringIntoView(line) {
    const [inner, outer] = [line.getBoundingClientRect(), list.getBoundingClientRect()];
    if (inner.top >= outer.top && inner.bottom <= outer.bottom) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    list.scrollBy({ top: inner.top - outer.top - outer.height / 3, behavior: calm ? "auto" : "smooth" });
  }

  function jump(button) {
    const again = button === pressed;
    release();
    if (again && !audio.paused) {
      audio.pause();
      return;
    }
    seek(Number(button.dataset.seek));
    if (button.dataset.until) {
      pressed = button;
      until = Number(button.dataset.until);
      button.setAttribute("aria-pressed", "true");
    }
    play();
  }

  toggle.addEventListener("click", () => {
    release();
    if (audio.paused) play();
    else audio.pause();
  });
  for (const button of player.querySelectorAll("[data-skip]")) button.addEventListener("click", () => seek(audio.currentTime + Number(button.dataset.skip)));
  find("pace").addEventListener("change", (event) => (audio.playbackRate = Number(event.target.value)));
  position.addEventListener("input", () => {
    release();
    seek(Number(position.value));
  });
  find("map").addEventListener("click", (event) => {
    const area = find("map").getBoundingClientRect();
    release();
    seek(((event.clientX - area.left) / area.width) * length());
  });
  for (const button of jumps) button.addEventListener("click", () => jump(button));
  // Words lead, too; whoever marks them to copy does not mean to jump.
  list?.addEventListener("click", (event) => {
    const line = event.target.closest(".turn");
    if (!line || event.target.closest("button") || String(getSelection())) return;
    release();
    seek(Number(line.dataset.start));
    play();
  });

  for (const name of ["play", "pause", "ended"]) {
    audio.addEventListener(name, () => {
      const playing = !audio.paused && !audio.ended;
      toggle.setAttribute("aria-label", playing ? player.dataset.pause : player.dataset.play);
      toggle.querySelector('[data-when="paused"]').hidden = playing;
      toggle.querySelector('[data-when="playing"]').hidden = !playing;
      if (playing) requestAnimationFrame(tick);
      else if (name === "pause" && until !== null && audio.currentTime < until) release();
    });
  }
  audio.addEventListener("timeupdate", show);
  audio.addEventListener("loadedmetadata", () => (position.max = length()));
  audio.addEventListener("error", fail);
  audio.addEventListener("waiting", () => (said.textContent = player.dataset.loading));
  for (const name of ["playing", "canplay", "pause"]) audio.addEventListener(name, () => said.classList.contains("tone-bad") || (said.textContent = ""));
  if (audio.error) fail();

  // Evidence ends to the tenth of a second; `timeupdate` comes four times a second.
  function tick() {
    show();
    if (!audio.paused) requestAnimationFrame(tick);
  }

  // A link into the call, such as a search's: `#t12.5`.
  const linked = Number(/^#t(\d+(?:\.\d+)?)$/.exec(location.hash)?.[1]);
  if (Number.isFinite(linked)) {
    const leap = () => seek(linked);
    if (audio.readyState > 0) leap();
    else audio.addEventListener("loadedmetadata", leap, { once: true });
    follow(linked);
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
