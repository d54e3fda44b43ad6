// The faults of the page that is shown, as a list of sentences.
(() => {
  const faults = [];
  const number = (value) => parseFloat(value);
  // A colour of the computed style, as [red, green, blue, opacity], the first three from 0 to 255.
  const colour = (text) => {
    const parts = text.match(/-?[\d.]+(e-?\d+)?/g).map(number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((part) => part * scale), parts[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
  const ground = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = colour(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  };
  // WCAG 2.2: relative luminance and contrast ratio.
  const luminance = (rgb) => rgb.slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const seen = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility({ checkOpacity: true })) continue;
    const ratio = contrast(over(colour(getComputedStyle(element).color), ground(element)), ground(element));
    const name = `${element.tagName.toLowerCase()}.${element.className}`;
    if (ratio < 4.5 && !seen.has(name)) {
      seen.add(name);
      faults.push(`the contrast of ${name} "${element.textContent.trim().slice(0, 30)}" is ${ratio.toFixed(1)}`);
    }
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea, button")) {
    const name = field.getAttribute("aria-label") || field.labels?.[0]?.textContent || field.textContent;
    if (!name.trim()) faults.push(`a field has no name: ${field.outerHTML.slice(0, 80)}`);
  }
  const wider = document.documentElement.scrollWidth - innerWidth;
  if (wider > 0) faults.push(`the page is ${wider} pixels wider than the screen`);
  if (document.querySelectorAll("main").length !== 1) faults.push("there is not one main part");
  if (document.querySelectorAll("h1").length !== 1) faults.push("there is not one first heading");
  if (!document.title || !document.documentElement.lang) faults.push("the page has no title or no language");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) faults.push("an id is given twice");
  return faults;
})()
