//! A panic is a bug; its place and words go to the console before the module traps.

use std::panic;
use std::sync::Once;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(message: &str);
}

/// Installs the hook once per module.
pub(crate) fn report_on_the_console() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|info| console_error(&info.to_string()))));
}
