import { expect, test } from 'vitest';
import { Component } from '../src/components/component.js';
import { Store } from '../src/model/store.js';

class Probe extends Component {
  readonly watchedValue = new Store('first');
  readonly drawn: string[] = [];

  protected override watched() {
    return [this.watchedValue];
  }

  override render(): unknown {
    this.drawn.push(this.watchedValue.value);
    return this.watchedValue.value;
  }
}
customElements.define('cl-probe', Probe);

async function connected(): Promise<Probe> {
  const probe = new Probe();
  document.body.append(probe);
  await probe.updateComplete;
  return probe;
}

test('a value that changes is drawn anew', async () => {
  const probe = await connected();
  probe.watchedValue.set('second');
  await probe.updateComplete;
  expect(probe.drawn).toEqual(['first', 'second']);
});

test('what changes as a component leaves is not drawn any more, and is when it comes back', async () => {
  const probe = await connected();
  probe.watchedValue.set('second');
  probe.remove();
  await probe.updateComplete;
  expect(probe.drawn).toEqual(['first']);
  document.body.append(probe);
  await probe.updateComplete;
  expect(probe.drawn).toEqual(['first', 'second']);
});
