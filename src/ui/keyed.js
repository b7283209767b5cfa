// Keeps a long list's elements: what has not changed stays where it is, with the reader's selection,
// focus and place.

/**
 * Makes the children of `box` match `items`, in order, and returns them by key for the next call.
 * `make` returns `{node, ...}`; it is called if `mark`, as JSON, differs from the last one.
 */
export function keyed(box, known, items, { key, mark, make }) {
  const kept = new Map();
  let before = null;
  for (const item of items) {
    const now = JSON.stringify(mark(item));
    let row = known.get(key(item));
    if (row?.mark !== now) row = { ...renewed(row, make(item)), mark: now };
    const place = before ? before.nextSibling : box.firstChild;
    if (place !== row.node) box.insertBefore(row.node, place);
    before = row.node;
    kept.set(key(item), row);
  }
  while (before ? before.nextSibling : box.firstChild) (before ? before.nextSibling : box.firstChild).remove();
  return kept;
}

function renewed(old, fresh) {
  if (!old) return fresh;
  const focused = old.node.contains(document.activeElement) && document.activeElement;
  const [was, is] = [old, fresh].map(({ node }) => node.querySelector('details'));
  if (was && is) is.open = was.open;
  old.node.replaceWith(fresh.node);
  // Keyboard focus stays on the button that was just pressed.
  if (focused) (fresh.node.querySelector(focused.localName === 'summary' ? 'summary' : 'button') ?? fresh.node).focus();
  return fresh;
}
