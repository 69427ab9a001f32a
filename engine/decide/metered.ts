/** Whether a module that somebody else metered is metered as we would: what comes in a bundle is looked at before it runs. */
import { InterlockError } from '#schemas/errors';
import { FUEL_EXPORT, probedFunctions, probeOf, STACK_EXPORT } from './meter.ts';
import { readModule, type WasmModuleText } from './wasm-module.ts';

/**
 * Each place that `meter` probes has its probe, the fuel is the global that the host fills, and nothing but the probes writes it.
 * @throws InterlockError POLICY_UNMETERED
 */
export function requireMetered(wasm: Uint8Array): void {
  let module: WasmModuleText;
  try {
    module = readModule(wasm);
  } catch (cause) {
    throw unmetered(`it is not understood: ${(cause as Error).message}`);
  }
  const fuel = module.globals - 1;
  if (module.exportedGlobals.get(FUEL_EXPORT) !== fuel || module.exportedGlobals.get(STACK_EXPORT) !== 0) throw unmetered('it exports no fuel');
  const probe = probeOf(fuel);
  const probed = probedFunctions(module);
  module.bodies.forEach((body, position) => {
    const index = position + module.importedFunctions;
    const points = probed.has(index) ? [body.code, ...body.loops] : body.loops;
    const missing = points.some((point) => Buffer.compare(wasm.subarray(point, point + probe.length), probe) !== 0);
    if (missing) throw unmetered(`function ${index} runs without fuel`);
    if (body.writes.filter((global) => global === fuel).length !== points.length) throw unmetered(`function ${index} writes its own fuel`);
  });
}

function unmetered(why: string): InterlockError {
  return new InterlockError('POLICY_UNMETERED', `policy.wasm is not metered: ${why}`);
}
