/** Loads the WebAssembly module; nothing else imports its bindings. */

import init, { Agent, AgentConfig as WasmConfig } from '../../wasm-out/clearline_wasm.js';
import type { AgentConfig, AgentModule } from './agent.js';

/** Fetches and compiles the module. */
export async function loadAgentModule(): Promise<AgentModule> {
  await init();
  return {
    create: (host, config, seed) => new Agent(host, wasmConfig(config), seed),
    restore: (host, config, snapshot, seed, now, asleep) =>
      Agent.restore(host, wasmConfig(config), snapshot, seed, now, asleep),
  };
}

/** Moved into the module by whoever takes it as an argument, so nobody has to free it. */
function wasmConfig(config: AgentConfig): WasmConfig {
  const { addressOfRecord, displayName, authUser, password, servers, instanceId } = config;
  const wasm = new WasmConfig(addressOfRecord, displayName, authUser, password, [...servers], instanceId);
  if (config.outboundFlows !== undefined) wasm.setOutboundFlows(config.outboundFlows);
  if (config.transferPolicy !== undefined) wasm.setTransferPolicy(config.transferPolicy);
  if (config.replacesPolicy !== undefined) wasm.setReplacesPolicy(config.replacesPolicy);
  if (config.remoteCalls === true) wasm.setRemoteCalls(true);
  if (config.deviceName !== undefined) wasm.setDeviceName(config.deviceName);
  if (config.conferenceFactory !== undefined) wasm.setConferenceFactory(config.conferenceFactory);
  if (config.token !== undefined) wasm.setToken(config.token);
  return wasm;
}
