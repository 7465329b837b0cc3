//! What JavaScript implements: one import per kind of output.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r#"
/** Carries out what the agent wants. Identifiers are 16 hexadecimal digits, times are milliseconds of the host's clock. */
export interface Host {
  connect(connection: string, url: string): void;
  transmit(connection: string, message: string | Uint8Array): void;
  disconnect(connection: string): void;
  /** `action` is a `MediaAction` as JSON; answer with `mediaDescription`, `mediaDone` or `mediaFailed`, exactly once. */
  media(request: string, call: string, session: string, action: string): void;
  /** A `ConnectionState` as JSON; times in it are microseconds. */
  connection(state: string): void;
  /** A `RegistrationState` as JSON; times in it are microseconds. */
  registration(state: string): void;
  /**
   * A `CallInfo` as JSON; times in it are microseconds. Identifiers in it must not be used: numbers lose digits. `consulted`
   * is the call in which somebody is asked about this one, `succeeds` the one whose place this one takes.
   */
  call(id: string, info: string, consulted: string | undefined, succeeds: string | undefined): void;
  dtmf(call: string, tone: string): void;
  /** All `RemoteCall`s as JSON; times in it are microseconds. Their identifiers are counted from one and lose no digits. */
  remoteCalls(calls: string): void;
  /** `error` is an `OperationError` as JSON, undefined on success. */
  operationDone(operation: string, error: string | undefined): void;
  /** A bearer token is needed; `need` is a `TokenNeed` as JSON. */
  tokenWanted(need: string): void;
  stopped(): void;
  dropped(connection: string, why: string, unreported: number): void;
  /** Nothing is left to do before `deadline`. The last call of every drain. */
  idle(deadline: number | undefined): void;
  /** An import threw: the host's own bug, reported here so that the drain goes on. */
  hostFailed(error: unknown): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The JavaScript side of the edge. Every import may throw; that never stops a drain.
    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "Host")]
    pub type Host;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn connect(this: &Host, connection: &str, url: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = transmit)]
    pub(crate) fn transmit_text(this: &Host, connection: &str, message: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = transmit)]
    pub(crate) fn transmit_binary(this: &Host, connection: &str, message: Vec<u8>) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn disconnect(this: &Host, connection: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn media(
        this: &Host,
        request: &str,
        call: &str,
        session: &str,
        action: &str,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn connection(this: &Host, state: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn registration(this: &Host, state: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn call(
        this: &Host,
        id: &str,
        info: &str,
        consulted: Option<String>,
        succeeds: Option<String>,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn dtmf(this: &Host, call: &str, tone: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = remoteCalls)]
    pub(crate) fn remote_calls(this: &Host, calls: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = ownDevices)]
    pub(crate) fn own_devices(this: &Host, devices: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = operationDone)]
    pub(crate) fn operation_done(this: &Host, operation: &str, error: Option<String>) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = tokenWanted)]
    pub(crate) fn token_wanted(this: &Host, need: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn stopped(this: &Host) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn dropped(this: &Host, connection: &str, why: &str, unreported: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn idle(this: &Host, deadline: Option<f64>) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = hostFailed)]
    pub(crate) fn host_failed(this: &Host, error: JsValue) -> Result<(), JsValue>;
}
