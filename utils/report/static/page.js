// Sorting of tables, hints to scroll, enlarging of pictures, the theme button, and folded parts opened for printing.
"use strict";
(() => {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Sorting: numbers (data-value) as numbers, text in the order of the reader's language, blanks last; stable.
  const isBlank = (cell) => cell.textContent.trim() === "" || cell.textContent.trim() === "–";
  const compareText = new Intl.Collator(undefined, { numeric: true }).compare;

  const sortBy = (table, column, descending) => {
    const body = table.tBodies[0];
    const cells = [...body.rows].map((row) => row.cells[column]);
    const numeric = cells.some((cell) => "value" in cell.dataset);
    const known = (cell) => (numeric ? "value" in cell.dataset : !isBlank(cell));
    const compare = numeric
      ? (a, b) => Number(a.dataset.value) - Number(b.dataset.value)
      : (a, b) => compareText(a.textContent, b.textContent);
    const sorted = cells.filter(known).sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
    body.append(...[...sorted, ...cells.filter((cell) => !known(cell))].map((cell) => cell.parentElement));
  };

  const makeSortable = (table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button" }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const descending = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sortBy(table, column, descending);
      });
    });
  };
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);

  // Enlarging: a native dialog, which Esc closes and which gives the focus back.
  const pictures = document.querySelectorAll(".picture img");
  if (pictures.length) {
    const large = make("img", { alt: "" });
    const caption = make("p", {});
    const close = make("button", { type: "button", textContent: "Close", autofocus: true });
    const box = make("div", { className: "large", tabIndex: 0 }, large); // scrolls where the window is small
    const dialog = make("dialog", {}, box, make("div", { className: "below" }, caption, close));
    dialog.setAttribute("aria-label", "Enlarged picture");
    document.body.append(dialog);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    pictures.forEach((picture) => {
      const button = make("button", { type: "button" });
      button.setAttribute("aria-haspopup", "dialog");
      picture.replaceWith(button);
      button.append(picture);
      button.addEventListener("click", () => {
        large.src = picture.src;
        large.alt = picture.alt;
        caption.textContent = button.parentElement.querySelector("figcaption").textContent;
        dialog.showModal();
      });
    });
  }

  // A line above each table that is wider than its box, for as long as it is.
  const hints = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const scroll = target.closest(".scroll");
    scroll.previousElementSibling.hidden = scroll.scrollWidth <= scroll.clientWidth + 8;
  }));
  document.querySelectorAll(".scroll").forEach((scroll) => {
    scroll.before(make("p", { className: "hint", hidden: true, textContent: "Scroll sideways for all columns \u2192" }));
    hints.observe(scroll);
    hints.observe(scroll.firstElementChild);
  });

  // Theme: that of the system, until the reader chooses.
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = make("button", { type: "button", className: "theme", textContent: "Light or dark" });
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
  });
  document.querySelector("nav ul").append(make("li", {}, theme));

  // Printing shows folded parts, and folds them again.
  const opened = [];
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((part) => {
      part.open = true;
      opened.push(part);
    });
  });
  addEventListener("afterprint", () => opened.splice(0).forEach((part) => (part.open = false)));
})();
