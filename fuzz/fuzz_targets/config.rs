//! A hub's configuration, created once.

use std::sync::OnceLock;

use hub::config::{Config, RedisTarget};
use shared::auth::{KeyConfig, KeySet};

pub fn get() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let hs256_key = "0123456789abcdef0123456789abcdef".to_owned();
        let keys = KeyConfig { hs256_key, ..KeyConfig::default() };
        let keys = KeySet::new(&keys).expect("a valid key");
        let redis = RedisTarget::parse("redis://127.0.0.1").expect("a valid URL");
        Config {
            allowed_origins: vec!["https://app.example".to_owned()],
            allow_query_token: true,
            ..Config::defaults(redis, keys).expect("valid defaults")
        }
    })
}
