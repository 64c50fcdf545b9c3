// A new picture in place of an old one, node by node: what has the focus, is scrolled, selected or unfolded stays so.

const LISTENERS = ["onclick", "onkeydown", "onsubmit", "onchange", "oninput", "ontoggle"];

/** Make the children of `parent` look like `nodes`. Those with the same `data-key` are the same, else those of one kind in order. */
export function become(parent, ...nodes) {
  const wanted = nodes.flat(Infinity).map((node) => (node instanceof Node ? node : new Text(node))),
    keyed = new Map([...parent.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  const keep = new Set(wanted.map(keyOf));
  for (const [key, node] of keyed) if (!keep.has(key)) node.remove();
  let next = parent.firstChild;
  for (const fresh of wanted) {
    const key = keyOf(fresh),
      old = key ? keyed.get(key) : next;
    keyed.delete(key);
    if (!old || !alike(old, fresh)) {
      parent.insertBefore(fresh, next);
      continue;
    }
    if (old === next) next = next.nextSibling;
    else parent.insertBefore(old, next);
    update(old, fresh);
  }
  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

const keyOf = (node) => node.dataset?.key;
const alike = (old, fresh) => old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

function update(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes])
    // Whether details are open is the reader's choice once they are there.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name === "open" || old.getAttribute(name) === value) continue;
    // The policy of the page forbids the attribute, not the property.
    if (name === "style") old.style.cssText = value;
    else old.setAttribute(name, value);
  }
  for (const listener of LISTENERS) old[listener] = fresh[listener];
  become(old, ...fresh.childNodes);
}
