/** Whether nothing has the focus: the element that had it is gone. */
export function focusLost(): boolean {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active === null || active === document.body || active.localName.startsWith('cl-');
}
