//! What the flags of `railhead doctor` are made of.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use railhead_client::Origin;
use railhead_doctor::Layer;

/// `HOST[:PORT]`, with the path that somebody put behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `HOST[:PORT]`.
    pub authority: String,
    /// With its slash in front; none where there is only that.
    pub path: Option<String>,
}

impl FromStr for Host {
    type Err = String;

    /// A scheme in front is tolerated: people copy from the browser.
    fn from_str(text: &str) -> Result<Self, String> {
        let bare =
            ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        let (authority, path) = match bare.find('/') {
            Some(at) => bare.split_at(at),
            None => (bare, ""),
        };
        let path = path.trim_end_matches('/');
        let host = Self {
            authority: authority.to_ascii_lowercase(),
            path: (!path.is_empty()).then(|| path.to_owned()),
        };
        let port_is_one = authority
            .rsplit_once(':')
            .is_none_or(|(_, port)| port.ends_with(']') || port.parse::<u16>().is_ok_and(|port| port > 0));
        if format!("https://{}", host.authority).parse::<Origin>().is_err() || !port_is_one {
            return Err(format!(
                "'{text}' is not the host of a registry; write it as git.example.com or git.example.com:5000"
            ));
        }
        Ok(host)
    }
}

/// `HOST=ADDRESS[,ADDRESS]`
pub fn resolution(text: &str) -> Result<(String, Vec<IpAddr>), String> {
    let wrong = || format!("'{text}' is not HOST=ADDRESS[,ADDRESS]");
    let (host, addresses) = text.split_once('=').filter(|(host, _)| !host.is_empty()).ok_or_else(wrong)?;
    let addresses =
        addresses.split(',').map(|address| address.trim_matches(['[', ']']).parse().map_err(|_| wrong()));
    Ok((host.to_ascii_lowercase(), addresses.collect::<Result<_, _>>()?))
}

/// `LAYER=WHO`
pub fn owner(text: &str) -> Result<(Layer, String), String> {
    let (layer, who) = text
        .split_once('=')
        .filter(|(_, who)| !who.trim().is_empty())
        .ok_or_else(|| format!("'{text}' is not LAYER=WHO"))?;
    let layer = layer.parse().map_err(|error: railhead_doctor::LayerError| error.to_string())?;
    Ok((layer, who.trim().to_owned()))
}

/// `5s`, `500ms`, `2m`
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("'{text}' is not a time; write it as 500ms, 5s or 2m");
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number.into()),
        "s" => Duration::from_secs(number.into()),
        "m" => Duration::from_secs(u64::from(number) * 60),
        _ => return Err(wrong()),
    };
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_with_what_people_write_around_it() {
        for (text, authority, path) in [
            ("git.example.com", "git.example.com", None),
            ("https://Git.example.com/", "git.example.com", None),
            ("git.example.com:5000", "git.example.com:5000", None),
            ("git.example.com/git/", "git.example.com", Some("/git")),
            ("[::1]:5000", "[::1]:5000", None),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!((host.authority.as_str(), host.path.as_deref()), (authority, path), "{text}");
        }
        for text in ["", "ftp://h", "h:port", "h:0", "user:password@h", "a b"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for text in ["5", "s", "0s", "5h", "-1s", "99999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn owners_and_addresses_are_read() {
        assert_eq!(owner("routing=cluster team"), Ok((Layer::Routing, "cluster team".to_owned())));
        assert!(owner("kitchen=cook").unwrap_err().contains("is not a layer"));
        let (host, addresses) = resolution("Git.example.com=10.0.0.1,[::1]").unwrap();
        assert_eq!((host.as_str(), addresses.len()), ("git.example.com", 2));
        assert!(resolution("git.example.com=localhost").is_err());
    }
}
