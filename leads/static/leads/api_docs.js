"use strict";

const place = document.getElementById("docs");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function wearColors() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

wearColors();
dark.addEventListener("change", wearColors);

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  validatorUrl: null, // it would send the address of this page to another host
});
