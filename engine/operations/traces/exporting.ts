/** Spans to their receiver by OTLP/HTTP, with OpenTelemetry's own packages: loaded only here, only where `operations.traces` says so. */
import type { Span } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { InterlockError } from '#schemas/errors';
import type { Log } from '#client/log';
import type { Cell } from '../metrics/meter.ts';
import type { Spans } from './statement-traces.ts';

/** Spans that wait to be sent; what is beyond is dropped, and counted. */
const WAITING_MAX = 8_192;
const BATCH_MAX = 512;
const EVERY_MS = 1_000;
const SEND_MS_MAX = 10_000;
/** A receiver that is not there is told of so often. */
const TOLD_EVERY_MS = 60_000;
const ATTRIBUTE_CHARS_MAX = 256;

export interface ExportingOptions {
  readonly url: string;
  /** PEM; null: the system's roots. */
  readonly ca: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  readonly role: string;
  readonly log: Log;
  readonly exported: Cell;
  readonly dropped: Cell;
}

export interface Exporting {
  readonly spans: Spans;
  /** Sends what waits, for a while. */
  close(): Promise<void>;
}

/** @throws InterlockError CONFIG_INVALID: the packages are not installed */
export async function openExporting(options: ExportingOptions): Promise<Exporting> {
  const { api, sdk, resources, otlp } = await packages();
  const { url, ca, headers, version, role, dropped } = options;
  const exporter = new otlp.OTLPTraceExporter({
    url,
    headers: { ...headers },
    timeoutMillis: SEND_MS_MAX,
    ...(ca === null ? {} : { httpAgentOptions: { ca } }),
  });
  const counting = new CountingExporter(exporter, options);
  const processor = new sdk.BatchSpanProcessor({
    exporter: counting,
    maxQueueSize: WAITING_MAX,
    maxExportBatchSize: BATCH_MAX,
    scheduledDelayMillis: EVERY_MS,
    exportTimeoutMillis: SEND_MS_MAX,
  });
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': 'interlock', 'service.version': version, 'interlock.role': role }),
    sampler: new sdk.AlwaysOnSampler(), // who is sampled is decided before
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_CHARS_MAX },
    spanProcessors: [
      { onStart: () => void (counting.waiting += 1), onEnd: () => {}, forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() },
      processor,
    ],
  });
  return {
    spans: {
      tracer: provider.getTracer('interlock', version),
      contextOf: (parent) =>
        parent === null
          ? api.ROOT_CONTEXT
          : api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId: parent.traceId, spanId: parent.spanId, traceFlags: 1, isRemote: true }),
      inside: (span: Span) => api.trace.setSpan(api.ROOT_CONTEXT, span),
      hasRoom: () => {
        if (counting.waiting < WAITING_MAX) return true;
        dropped.value += 1;
        return false;
      },
    },
    close: async () => {
      await provider.shutdown().catch((error: unknown) => options.log.warn({ err: error }, 'the last spans could not be sent'));
    },
  };
}

async function packages() {
  try {
    const [api, sdk, resources, otlp] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/exporter-trace-otlp-http'),
    ]);
    return { api, sdk, resources, otlp };
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', 'operations.traces: the packages of OpenTelemetry are not installed', {
      cause: error,
      hint: 'They come with Interlock: install it anew, or leave `operations.traces` out.',
    });
  }
}

/** Knows what waits, what arrived and what did not. */
class CountingExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #options: ExportingOptions;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  /** Begun and not sent or given up. */
  waiting = 0;

  constructor(inner: SpanExporter, options: ExportingOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#inner.export(spans, (result) => {
      this.waiting = Math.max(0, this.waiting - spans.length);
      const { exported, dropped } = this.#options;
      if (result.code === 0) exported.value += spans.length;
      else {
        dropped.value += spans.length;
        this.#tell(result.error);
      }
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush?.() ?? Promise.resolve();
  }

  #tell(error: Error | undefined): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < TOLD_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    this.#options.log.warn({ reason: error?.message ?? 'no reason' }, 'spans could not be sent; they are dropped, and counted');
  }
}
