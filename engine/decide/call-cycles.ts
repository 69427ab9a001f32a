/**
 * Functions that can call themselves, directly or by way of others: Tarjan's strongly connected components, iterative.
 * @param first index of the first body; lower ones are imports
 */
export function functionsOnCycles(first: number, bodies: readonly { readonly calls: readonly number[] }[]): ReadonlySet<number> {
  const callsOf = (index: number): readonly number[] => bodies[index - first]?.calls ?? [];
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const cyclic = new Set<number>();
  for (let root = first; root < first + bodies.length; root++) {
    if (order.has(root)) continue;
    const work: { index: number; next: number }[] = [{ index: root, next: 0 }];
    while (work.length > 0) {
      const frame = work[work.length - 1] as { index: number; next: number };
      const { index } = frame;
      if (frame.next === 0) {
        order.set(index, order.size);
        low.set(index, order.get(index) as number);
        open.push(index);
        isOpen.add(index);
      }
      const callee = callsOf(index)[frame.next++];
      if (callee !== undefined) {
        if (callee === index) cyclic.add(index);
        if (callee < first) continue;
        if (!order.has(callee)) work.push({ index: callee, next: 0 });
        else if (isOpen.has(callee)) low.set(index, Math.min(low.get(index) as number, order.get(callee) as number));
        continue;
      }
      work.pop();
      const parent = work[work.length - 1];
      if (parent) low.set(parent.index, Math.min(low.get(parent.index) as number, low.get(index) as number));
      if (low.get(index) !== order.get(index)) continue;
      const component = open.splice(open.lastIndexOf(index));
      for (const member of component) isOpen.delete(member);
      if (component.length > 1) for (const member of component) cyclic.add(member);
    }
  }
  return cyclic;
}
