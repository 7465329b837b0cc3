//! The agent's configuration as JavaScript hands it over.

use clearline_core::{Config, Secret, Server, sip::UriBuf};
use wasm_bindgen::prelude::*;

/// The account of an agent.
#[wasm_bindgen]
pub struct AgentConfig(Config);

#[wasm_bindgen]
impl AgentConfig {
    /// An account with the defaults of a softphone. Throws a sentence that holds no secret.
    #[wasm_bindgen(constructor)]
    pub fn new(
        address_of_record: &str,
        display_name: String,
        auth_user: String,
        password: String,
        servers: Vec<String>,
        instance_id: String,
    ) -> Result<AgentConfig, JsValue> {
        let address =
            UriBuf::parse(address_of_record).map_err(|_| "the address of record is not a SIP address")?;
        let first = servers.first().cloned().ok_or("no server is given")?;
        Ok(Self(Config {
            display_name,
            auth_user,
            password: Secret::new(password),
            servers: Server::in_order(servers),
            ..Config::new(address, first, instance_id)
        }))
    }
}

impl AgentConfig {
    pub(crate) fn into_config(self) -> Config {
        self.0
    }
}
