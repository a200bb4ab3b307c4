// Leads on to the submission that a form of the page "Try it" has made.
"use strict";

document.addEventListener("landing:accepted", (event) => {
  event.preventDefault(); // stay here, where the visitor of a page would be led on
  const place = document.querySelector(".try-form");
  const link = document.createElement("a");
  link.href = `${place.dataset.submissions}${event.detail.leadId}/change/`;
  link.textContent = place.dataset.shown;
  const line = document.createElement("p");
  line.append(link);
  place.append(line);
});
