// The keyboard and the mouse in the tree: one item has the focus, items fold, Enter opens.

/** The tree's behaviour; `items`: id -> {row, element}, parents before children. */
export function treeKeys(tree, items, state, select) {
  const list = [...items.values()];
  const shown = () => list.filter(({ element }) => !element.hidden);

  function refresh() {
    const only = tree.classList.contains("path-only"),
      starts = tree.classList.contains("with-starts");
    let below = Infinity;
    for (const { row, element } of list) {
      const folded = row.depth > below;
      if (!folded) below = state.collapsed.has(row.id) ? row.depth : Infinity;
      element.hidden = folded || (only && !row.critical.length) || (!starts && !row.waited_for);
      if (row.children) element.setAttribute("aria-expanded", String(!state.collapsed.has(row.id)));
    }
    if (!items.get(state.focused) || items.get(state.focused).element.hidden)
      state.focused = visibleAbove(state.focused);
    list.forEach(({ row, element }) => {
      element.tabIndex = row.id === state.focused ? 0 : -1;
    });
  }
  function visibleAbove(id) {
    let found = items.get(id);
    while (found && found.element.hidden) found = items.get(found.row.parent);
    return (found ?? shown()[0])?.row.id ?? "";
  }
  function focus(id) {
    const old = items.get(state.focused),
      found = items.get(id);
    if (!found) return;
    if (old) old.element.tabIndex = -1;
    state.focused = id;
    found.element.tabIndex = 0;
    found.element.focus({ preventScroll: true });
    found.element.scrollIntoView({ block: "nearest" });
  }
  function fold(id, closed) {
    if (!items.get(id)?.row.children) return;
    if (closed) state.collapsed.add(id);
    else state.collapsed.delete(id);
    refresh();
  }
  function reveal(id) {
    for (let at = items.get(id)?.row.parent; at; at = items.get(at)?.row.parent) state.collapsed.delete(at);
    refresh();
    const found = items.get(id);
    if (found?.element.hidden) {
      const name = found.row.waited_for ? "path-only" : "with-starts";
      tree.closest(".waterfall").querySelector(`[data-toggle=${name}]`).click();
    }
    focus(id);
  }
  const mark = (id) =>
    list.forEach(({ row, element }) => element.setAttribute("aria-selected", String(row.id === id)));
  const open = (id) => select(id, () => focus(id));

  const KEYS = {
    ArrowDown: (rows, at) => focus(rows[at + 1]?.row.id),
    ArrowUp: (rows, at) => focus(rows[at - 1]?.row.id),
    Home: (rows) => focus(rows[0]?.row.id),
    End: (rows) => focus(rows.at(-1)?.row.id),
    ArrowRight: (rows, at, { row }) =>
      state.collapsed.has(row.id) ? fold(row.id, false) : row.children && focus(rows[at + 1]?.row.id),
    ArrowLeft: (rows, at, { row }) =>
      row.children && !state.collapsed.has(row.id) ? fold(row.id, true) : focus(row.parent),
    Enter: (rows, at, { row }) => open(row.id),
    " ": (rows, at, { row }) => open(row.id),
  };
  tree.addEventListener("keydown", (event) => {
    const found = items.get(event.target.dataset?.span),
      act = KEYS[event.key];
    if (!found || !act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const rows = shown();
    act(rows, rows.indexOf(found), found);
  });
  tree.addEventListener("focusin", (event) => {
    const id = event.target.dataset?.span;
    if (id && id !== state.focused) focus(id);
  });
  tree.addEventListener("click", (event) => {
    const id = event.target.closest("[data-span]")?.dataset.span;
    if (!id || String(getSelection())) return;
    focus(id);
    if (event.target.closest(".toggle") && items.get(id).row.children) fold(id, !state.collapsed.has(id));
    else open(id);
  });
  const all = (closed) => {
    state.collapsed = new Set(closed ? list.filter(({ row }) => row.children).map(({ row }) => row.id) : []);
    refresh();
  };
  const restore = () => {
    const had = state.had;
    refresh();
    mark(state.selected);
    if (had) focus(state.focused);
  };
  return { refresh, focus, reveal, mark, all, restore };
}
