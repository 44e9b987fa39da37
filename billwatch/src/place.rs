//! Where a process stands: its number and its name, as a container platform gives them.

use std::str::FromStr;

/// The number that a StatefulSet gives to its pod, by the downward API from the label `apps.kubernetes.io/pod-index`.
const POD_INDEX: &str = "BILLWATCH_POD_INDEX";
/// Stands for the hostname in `--advertise`.
const HOSTNAME: &str = "{hostname}";

/// Value of `--process`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessNumber {
    /// The platform says it.
    Auto,
    /// This one.
    Is(u32),
}

impl FromStr for ProcessNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(ProcessNumber::Auto),
            number => number.parse().map(ProcessNumber::Is).map_err(|_| "write a number from 0, or auto".to_owned()),
        }
    }
}

impl ProcessNumber {
    /// The number of this process. `Err` says what is missing.
    pub fn resolve(self) -> Result<u32, String> {
        match self {
            ProcessNumber::Is(number) => Ok(number),
            ProcessNumber::Auto => ordinal(std::env::var(POD_INDEX).ok().as_deref(), &hostname()?),
        }
    }
}

/// Replaces `{hostname}`.
pub fn advertised(name: &str) -> Result<String, String> {
    if name.contains(HOSTNAME) { Ok(name.replace(HOSTNAME, &hostname()?)) } else { Ok(name.to_owned()) }
}

fn ordinal(pod_index: Option<&str>, hostname: &str) -> Result<u32, String> {
    // Downward API of a label that is not there gives an empty text.
    if let Some(text) = pod_index.filter(|text| !text.is_empty()) {
        return text.parse().map_err(|_| format!("{POD_INDEX} is {text:?}: it must be a number from 0"));
    }
    let digits = hostname.trim_end_matches(|character: char| character.is_ascii_digit()).len();
    hostname[digits..].parse().map_err(|_| {
        format!("--process auto: hostname {hostname:?} does not end with a number; set {POD_INDEX}, or name the number")
    })
}

/// Name of this machine or container. `Err` says what is missing.
pub fn hostname() -> Result<String, String> {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        _ => {
            std::env::var("HOSTNAME").map_err(|_| "this machine tells no hostname: set environment HOSTNAME".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_pod_index_or_the_end_of_the_hostname() {
        assert_eq!(ordinal(Some("2"), "billwatch-worker-7"), Ok(2));
        assert_eq!(ordinal(Some(""), "billwatch-worker-7"), Ok(7));
        assert_eq!(ordinal(None, "billwatch-worker-12"), Ok(12));
        assert_eq!(ordinal(None, "w03"), Ok(3));
        assert_eq!(ordinal(None, "工人-4"), Ok(4));
    }

    #[test]
    fn what_is_no_number_is_refused_with_what_to_do() {
        assert!(ordinal(Some("two"), "w-1").unwrap_err().contains("BILLWATCH_POD_INDEX is \"two\""));
        for hostname in ["worker", "", "worker-1a", "worker-99999999999"] {
            assert!(ordinal(None, hostname).unwrap_err().contains("set BILLWATCH_POD_INDEX"), "{hostname}");
        }
        assert_eq!("3".parse(), Ok(ProcessNumber::Is(3)));
        assert_eq!("auto".parse(), Ok(ProcessNumber::Auto));
        assert!("-1".parse::<ProcessNumber>().unwrap_err().contains("auto"));
    }

    #[test]
    fn the_hostname_stands_in_the_advertised_name() {
        assert_eq!(advertised("10.0.0.1:7500"), Ok("10.0.0.1:7500".to_owned()));
        assert_eq!(advertised("{hostname}.mesh:7500"), hostname().map(|name| format!("{name}.mesh:7500")));
    }
}
