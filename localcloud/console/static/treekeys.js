// The keyboard and the mouse in the tree: one item has the focus, items fold, Enter opens, Escape closes.

/** The tree's behaviour. `state` is the waterfall's; `redraw` is called when a toggle has to change. */
export class TreeKeys {
  #items = new Map();
  #list = [];

  constructor(tree, state, select, redraw) {
    Object.assign(this, { tree, state, select, redraw });
    tree.addEventListener("keydown", (event) => this.#pressed(event));
    tree.addEventListener("focusin", (event) => this.#take(event.target.dataset?.key));
    tree.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Take note of the rows, whose items are the tree's children now; `focused` if one of them had the focus. */
  update(rows, focused) {
    this.#list = rows.map((row, index) => ({ row, element: this.tree.children[index] }));
    this.#items = new Map(this.#list.map((each) => [each.row.id, each]));
    this.refresh();
    this.mark(this.state.selected);
    // An item that is not shown any more has lost it.
    const held = this.tree.contains(document.activeElement) && document.activeElement.tabIndex === 0;
    if (focused && !held) this.#items.get(this.state.focused)?.element.focus({ preventScroll: true });
  }

  row(id) {
    return this.#items.get(id)?.row;
  }

  /** Show and hide by what is folded and toggled, and see that one shown item can have the focus. */
  refresh() {
    const { collapsed, toggled } = this.state;
    let below = Infinity;
    for (const { row, element } of this.#list) {
      const folded = row.depth > below;
      if (!folded) below = collapsed.has(row.id) ? row.depth : Infinity;
      element.hidden = folded || this.#left(row, toggled);
      if (row.children) element.setAttribute("aria-expanded", String(!collapsed.has(row.id)));
    }
    this.#take(this.#visibleAbove(this.state.focused));
  }

  /** Which item is the selected one. */
  mark(id) {
    for (const { row, element } of this.#list) element.setAttribute("aria-selected", String(row.id === id));
  }

  /** Give an item the focus, and see that it is in view. */
  focus(id) {
    const found = this.#items.get(id);
    if (!found) return;
    this.#take(id);
    found.element.focus({ preventScroll: true });
    found.element.scrollIntoView({ block: "nearest" });
  }

  /** The same for one that may be folded away or left out. */
  reveal(id) {
    const row = this.row(id);
    if (!row) return;
    for (let at = row.parent; at; at = this.row(at)?.parent) this.state.collapsed.delete(at);
    if (!row.critical.length) this.state.toggled.delete("path-only");
    if (!row.waited_for) this.state.toggled.add("with-starts");
    this.redraw();
    this.focus(id);
  }

  /** Turn a class of the tree, by its button, on or off: nothing has to be drawn anew for that. */
  toggle(key, button) {
    const on = this.tree.classList.toggle(key);
    if (on) this.state.toggled.add(key);
    else this.state.toggled.delete(key);
    button.setAttribute("aria-pressed", String(on));
    this.refresh();
  }

  foldAll(closed) {
    const parents = this.#list.filter(({ row }) => row.children).map(({ row }) => row.id);
    this.state.collapsed = new Set(closed ? parents : []);
    this.refresh();
  }

  #left(row, toggled) {
    return (
      (toggled.has("path-only") && !row.critical.length) || (!toggled.has("with-starts") && !row.waited_for)
    );
  }

  #shown() {
    return this.#list.filter(({ element }) => !element.hidden);
  }

  #visibleAbove(id) {
    let found = this.#items.get(id);
    while (found?.element.hidden) found = this.#items.get(found.row.parent);
    return (found ?? this.#shown()[0])?.row.id ?? "";
  }

  #take(id) {
    if (!this.#items.has(id)) return;
    this.state.focused = id;
    for (const { row, element } of this.#list) {
      const index = row.id === id ? 0 : -1;
      if (element.tabIndex !== index) element.tabIndex = index;
    }
  }

  #fold(row, closed) {
    if (!row.children) return;
    if (closed) this.state.collapsed.add(row.id);
    else this.state.collapsed.delete(row.id);
    this.refresh();
  }

  #pressed(event) {
    const found = this.#items.get(event.target.dataset?.key),
      act = KEYS[event.key];
    if (!found || !act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act(this, found.row);
  }

  #clicked(event) {
    const row = this.row(event.target.closest(".item")?.dataset.key);
    if (!row || String(getSelection())) return;
    this.focus(row.id);
    if (event.target.closest(".toggle") && row.children) this.#fold(row, !this.isFolded(row));
    else this.select(row.id);
  }

  isFolded(row) {
    return this.state.collapsed.has(row.id);
  }

  /** To the item so many shown ones further down, or up. */
  move(row, by) {
    const rows = this.#shown();
    this.focus(rows[rows.findIndex((each) => each.row === row) + by]?.row.id);
  }

  /** To the first shown item, or with -1 the last. */
  jump(at) {
    this.focus(this.#shown().at(at)?.row.id);
  }

  open(row) {
    if (this.isFolded(row)) this.#fold(row, false);
    else if (row.children) this.move(row, 1);
  }

  close(row) {
    if (row.children && !this.isFolded(row)) this.#fold(row, true);
    else this.focus(row.parent);
  }
}

const KEYS = {
  ArrowDown: (tree, row) => tree.move(row, 1),
  ArrowUp: (tree, row) => tree.move(row, -1),
  Home: (tree) => tree.jump(0),
  End: (tree) => tree.jump(-1),
  ArrowRight: (tree, row) => tree.open(row),
  ArrowLeft: (tree, row) => tree.close(row),
  Enter: (tree, row) => tree.select(row.id),
  " ": (tree, row) => tree.select(row.id),
  Escape: (tree) => tree.select(""),
};
