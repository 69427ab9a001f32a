/** The programs that Interlock needs and npm does not carry: what is pinned, how to tell its version, where an official release is. */

export type ToolName = 'opa' | 'regal' | 'nats-server';

/** An official release, pinned by the sum that `source` publishes. */
export interface Release {
  readonly url: string;
  readonly sha256: string;
  /** Where the sum was read. */
  readonly source: string;
}

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** Go package; its version and sums stand in go.mod and go.sum of `goModule`, a folder beside this file (Regal does not compile with OPA 1.22). */
  readonly goPackage: string;
  readonly goModule: '.' | 'regal';
  readonly goBuildSeconds: number;
  readonly versionArguments: readonly string[];
  readonly versionPattern: RegExp;
  /** By `process.platform-process.arch`. Empty where no public sum of this version was found: then we download nothing. */
  readonly releases: Readonly<Record<string, Release>>;
  readonly install: string;
}

const REGAL = 'https://github.com/open-policy-agent/regal/releases/download/v0.39.0';
const HERMIT = 'https://github.com/cashapp/hermit-packages/blob/master/regal.hcl';

export const TOOLS: Readonly<Record<ToolName, Tool>> = {
  opa: {
    name: 'opa',
    version: '1.22.2',
    goPackage: 'github.com/open-policy-agent/opa',
    goModule: '.',
    goBuildSeconds: 110,
    versionArguments: ['version'],
    versionPattern: /^Version: v?(\S+)/m,
    releases: {},
    install:
      'install Go (https://go.dev/dl) and run this again, or put OPA 1.22.2 (https://www.openpolicyagent.org/docs#1-download-opa) into PATH as `opa`',
  },
  regal: {
    name: 'regal',
    version: '0.39.0',
    goPackage: 'github.com/open-policy-agent/regal',
    goModule: 'regal',
    goBuildSeconds: 80,
    versionArguments: ['version'],
    versionPattern: /^Version:\s*v?(\S+)/m,
    releases: {
      'linux-x64': { url: `${REGAL}/regal_Linux_x86_64`, sha256: 'b4fd48ae33a85dc59352b32c34aaea104605d25a43680454f987682751595db9', source: HERMIT },
      'linux-arm64': {
        url: `${REGAL}/regal_Linux_arm64`,
        sha256: '866d59c579b9c4b32bb4564a802ad3d0076df9972e2e1d6690a103b146252a8a',
        source: HERMIT,
      },
      'darwin-x64': {
        url: `${REGAL}/regal_Darwin_x86_64`,
        sha256: '6d08c41203d092bb2b5d23e677fc6343fa7229648e0ecf65cea39d40330d4d99',
        source: HERMIT,
      },
      'darwin-arm64': {
        url: `${REGAL}/regal_Darwin_arm64`,
        sha256: '540fed5769036765a7639b38f71e849bb14ff5556d10d29350a3581e40dd5a3b',
        source: HERMIT,
      },
    },
    install:
      'install Go (https://go.dev/dl) and run this again, or put Regal 0.39.0 (https://github.com/open-policy-agent/regal/releases) into PATH as `regal`',
  },
  'nats-server': {
    name: 'nats-server',
    version: '2.15.2',
    goPackage: 'github.com/nats-io/nats-server/v2',
    goModule: '.',
    goBuildSeconds: 30,
    versionArguments: ['--version'],
    versionPattern: /^nats-server: v?(\S+)/m,
    releases: {},
    install:
      'install Go (https://go.dev/dl) and run this again, or put nats-server 2.15.2 (https://github.com/nats-io/nats-server/releases) into PATH as `nats-server`',
  },
};
