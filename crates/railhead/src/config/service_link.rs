//! Variables that Kubernetes puts into every pod for a service called `railhead`, and that look like ours.

/// Whether Kubernetes put this variable into every pod because a service is called `railhead` or `railhead-…`.
pub fn is_service_link(variable: &str) -> bool {
    let Some(rest) = variable.strip_prefix("RAILHEAD_") else { return false };
    let port = |text: &str| text == "PORT" || text.starts_with("PORT_");
    let service =
        |text: &str| text == "SERVICE_HOST" || text == "SERVICE_PORT" || text.starts_with("SERVICE_PORT_");
    let is_tail = |text: &str| port(text) || service(text);
    is_tail(rest) || rest.match_indices('_').any(|(at, _)| is_tail(&rest[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_called_railhead_does_not_confuse_its_own_pods() {
        for variable in [
            "RAILHEAD_PORT",
            "RAILHEAD_SERVICE_HOST",
            "RAILHEAD_SERVICE_PORT_HTTP",
            "RAILHEAD_PORT_5050_TCP_ADDR",
            "RAILHEAD_POSTGRES_PORT_5432_TCP",
            "RAILHEAD_POSTGRES_SERVICE_HOST",
        ] {
            assert!(is_service_link(variable), "{variable}");
        }
        for variable in ["RAILHEAD_IMPORT", "RAILHEAD_LISTEN", "RAILHEAD_SERVICES", "PORT"] {
            assert!(!is_service_link(variable), "{variable}");
        }
    }
}
