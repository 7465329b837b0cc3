//! The agent's configuration as JavaScript hands it over.

use clearline_core::{Config, Secret, Server, Token, sip::UriBuf};
use wasm_bindgen::prelude::*;

use crate::agent::named;

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

#[wasm_bindgen]
impl AgentConfig {
    /// How many flows to keep at the same time, each to another server (RFC 5626).
    #[wasm_bindgen(js_name = setOutboundFlows)]
    pub fn set_outbound_flows(&mut self, flows: usize) {
        self.0.outbound_flows = flows;
    }

    /// What is done when the far end of a call sends this side to somebody else; `policy` as `TransferPolicy` has it.
    #[wasm_bindgen(js_name = setTransferPolicy)]
    pub fn set_transfer_policy(&mut self, policy: &str) -> Result<(), JsValue> {
        self.0.transfer_policy = named(policy)?;
        Ok(())
    }

    /// Who may take the place of a call's far end; `policy` as `ReplacesPolicy` has it. Throws for any other word.
    #[wasm_bindgen(js_name = setReplacesPolicy)]
    pub fn set_replaces_policy(&mut self, policy: &str) -> Result<(), JsValue> {
        self.0.replaces_policy = named(policy)?;
        Ok(())
    }

    /// What this device calls itself to the account's other devices.
    #[wasm_bindgen(js_name = setDeviceName)]
    pub fn set_device_name(&mut self, name: String) {
        self.0.device_name = name;
    }

    /// Follow the account's other devices and their calls.
    #[wasm_bindgen(js_name = setRemoteCalls)]
    pub fn set_remote_calls(&mut self, follow: bool) {
        self.0.remote_calls = follow;
    }

    /// Where the platform makes conferences (RFC 4579). Throws if that is no address.
    #[wasm_bindgen(js_name = setConferenceFactory)]
    pub fn set_conference_factory(&mut self, uri: &str) -> Result<(), JsValue> {
        self.0.conference_factory =
            Some(UriBuf::parse(uri).map_err(|_| "the conference factory is not an address")?);
        Ok(())
    }

    /// The bearer token for platforms that ask for one (RFC 8898).
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&mut self, token: String) {
        self.0.token = Some(Token {
            secret: Secret::new(token),
            expires_at: None,
        });
    }
}

impl AgentConfig {
    pub(crate) fn into_config(self) -> Config {
        self.0
    }
}
