//! The configuration of a container (config.json of the OCI runtime specification). Pure.

use crate::model::Text;

/// Returns the file of the network namespace that a configuration names (`linux.namespaces`).
pub(crate) fn network_namespace(config: &[u8]) -> Option<Text> {
    let config: serde_json::Value = serde_json::from_slice(config).ok()?;
    let namespaces = config.get("linux")?.get("namespaces")?.as_array()?;
    let network = namespaces.iter().find(|one| one.get("type").is_some_and(|kind| kind == "network"))?;
    network.get("path")?.as_str().map(Text::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_file_of_a_network() {
        let config = br#"{"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/run/user/1000/netns/netns-1f"}]}}"#;
        assert_eq!(network_namespace(config), Some("/run/user/1000/netns/netns-1f".into()));
        assert_eq!(network_namespace(b"{\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}"), None);
        assert_eq!(network_namespace(b"{"), None);
    }

    proptest! {
        #[test]
        fn any_bytes(config: Vec<u8>) {
            let _ = network_namespace(&config);
        }
    }
}
