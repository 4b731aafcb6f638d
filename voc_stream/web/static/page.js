// What every page does beside what it shows: tells the server the reader's time zone, and says that something is under way.

const YEAR = 365 * 86400;

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}

// The server formats times. The first page of a new reader came without their zone, so it is asked for once more.
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!/^[\w+/-]{1,64}$/.test(zone) || cookie("zone") === zone) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  if (cookie("zone") === zone && zone !== "UTC" && document.querySelector(".menu")) location.reload();
}

function showProgress() {
  if (document.querySelector(".progress")) return;
  const bar = document.createElement("div");
  bar.className = "progress";
  document.body.append(bar);
  document.querySelector("main").setAttribute("aria-busy", "true");
}

function hideProgress() {
  document.querySelector(".progress")?.remove();
  document.querySelector("main").removeAttribute("aria-busy");
}

function leaves(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || link.hasAttribute("download") || link.target === "_blank") return;
  const to = new URL(link.href, location.href);
  if (to.origin === location.origin && to.pathname + to.search !== location.pathname + location.search) showProgress();
}

tellZone();
document.addEventListener("click", leaves);
document.addEventListener("submit", (event) => event.defaultPrevented || showProgress());
addEventListener("pageshow", hideProgress);

for (const form of document.querySelectorAll("form[data-submits]")) form.addEventListener("change", () => form.requestSubmit());

// A menu closes as menus do.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

document.querySelector('.ways [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });
