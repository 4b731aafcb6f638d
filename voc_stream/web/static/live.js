// A page's numbers as they change: [data-live-stream] names the stream, [data-live="name"] are replaced, #live announces (docs/page.md).
const place = document.querySelector("[data-live-stream]");
const MOST_WAIT = 60_000;

class Live {
  constructor(address) {
    this.address = address;
    this.wait = 2_000;
    this.source = null;
    this.timer = 0;
  }

  // Browsers allow few connections to a host: a page that nobody sees has none.
  follow() {
    if (document.hidden) this.close();
    else if (!this.source) this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.source = new EventSource(this.address);
    this.source.addEventListener("open", () => { this.wait = 2_000; state("on"); });
    this.source.addEventListener("message", (event) => {
      show(JSON.parse(event.data));
      document.documentElement.dataset.liveTold = Number(document.documentElement.dataset.liveTold ?? 0) + 1;
    });
    this.source.addEventListener("error", () => {
      state("off");
      // Refused or ended: the browser itself tries again only where the connection broke.
      if (this.source && this.source.readyState === EventSource.CLOSED) this.again();
    });
  }

  again() {
    this.close();
    this.timer = setTimeout(() => this.follow(), this.wait);
    this.wait = Math.min(2 * this.wait, MOST_WAIT);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}

function show({ numbers = {}, new: came, said }) {
  for (const [name, text] of Object.entries(numbers)) {
    for (const element of document.querySelectorAll(`[data-live="${CSS.escape(name)}"]`)) {
      if (element.textContent === text) continue;
      element.textContent = text;
      element.classList.remove("fresh");
      requestAnimationFrame(() => element.classList.add("fresh"));
    }
  }
  if (came !== undefined) {
    for (const element of document.querySelectorAll('[data-live="new"]')) {
      element.textContent = came;
      element.hidden = false;
    }
  }
  if (said) announce(said);
}

function announce(sentence) {
  const region = document.getElementById("live");
  if (!region) return;
  region.textContent = sentence;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => { region.textContent = ""; }, 8_000);
}

function state(name) {
  document.documentElement.dataset.live = name;
  const sign = document.getElementById("live-state");
  if (!sign) return;
  sign.textContent = sign.dataset[name] ?? "";
  sign.hidden = false;
}

if (place) {
  const live = new Live(place.dataset.liveStream);
  document.addEventListener("visibilitychange", () => live.follow());
  addEventListener("pagehide", () => live.close());
  addEventListener("pageshow", () => live.follow());
  live.follow();
}
