"use strict";
const told = document.getElementById("told");
const drawing = document.getElementById("map");
for (const point of drawing.querySelectorAll("circle")) {
  const title = point.querySelector("title"); // what is shown without scripts; the browser's own hint would stand beside ours
  point.told = title.textContent;
  title.remove();
}
function show(event) {
  const point = event.target.closest("circle");
  told.hidden = !point;
  if (!point) return;
  told.textContent = "";
  if (point.dataset.picture) {
    const picture = document.createElement("img");
    picture.src = point.dataset.picture;
    told.append(picture);
  }
  const words = document.createElement("p");
  words.textContent = point.told;
  told.append(words);
  const box = drawing.parentElement.getBoundingClientRect();
  const at = point.getBoundingClientRect();
  const left = at.left - box.left + 14;
  told.style.left = Math.max(0, Math.min(left, box.width - told.offsetWidth - 4)) + "px";
  told.style.top = (at.top - box.top + 14) + "px";
}
drawing.addEventListener("pointerover", show);
drawing.addEventListener("focusin", show);
drawing.addEventListener("pointerleave", () => { told.hidden = true; });
