// Shows only what is ticked; without a script everything is shown and there is nothing to tick.
const boxes = [...document.querySelectorAll(".filters input")];
function filter() {
  const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  let shown = 0;
  for (const each of document.querySelectorAll("details.cascade")) {
    const fits = wanted.has(each.dataset.scope) && wanted.has(each.dataset.severity);
    each.hidden = !fits;
    shown += fits;
  }
  document.querySelector("#shown").textContent = shown;
}
document.querySelector(".filters").hidden = false;
for (const box of boxes) box.addEventListener("change", filter);
filter();
