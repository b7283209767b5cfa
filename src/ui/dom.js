// Builds elements. Outside data is only ever inserted as text: nothing here parses markup.

export const at = (id) => document.getElementById(id);

/**
 * An element with properties and children. Strings become text; null and false are left out.
 * `class`, `data-*`, `aria-*` and `role` are attributes, `on*` listeners, the rest properties.
 */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'class') made.className = value;
    else if (name.includes('-') || name === 'role') made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Sets a text only if it differs, so that a tick costs nothing and screen readers do not repeat it. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Runs `work` at most once per frame, and not in a hidden tab. */
export function perFrame(work) {
  let planned = false;
  return () => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      work();
    });
  };
}
