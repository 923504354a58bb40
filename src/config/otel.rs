//! The settings of traces: the standard variables of OpenTelemetry, read strictly. An empty variable counts as unset.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::secrets::Secrets;
use super::{Faults, InvalidSetting};

/// The collector's address where `OTEL_TRACES_EXPORTER` asks for the exporter and no variable names an address.
const LOCAL_COLLECTOR: &str = "http://localhost:4318";
const TRACES_PATH: &str = "v1/traces";
const LONGEST_TIMEOUT: u64 = 60_000;
const LARGEST_QUEUE: u64 = 100_000;

/// Variables of the standard that are not supported. They stop the start, because traces would go another way than the
/// operator asked for.
const UNSUPPORTED: [&str; 6] = [
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
];

/// Which traces are exported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    All,
    Nothing,
    /// A part of them, from 0 to 1.
    Part(f64),
}

/// The sampler.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    pub root: Sample,
    /// The caller's `traceparent` decides where there is one.
    pub follows_parent: bool,
}

/// The settings of traces.
#[derive(Clone)]
pub struct Tracing {
    pub endpoint: String,
    /// The collector is on this machine.
    pub is_loopback: bool,
    /// May contain secrets.
    pub headers: Vec<(String, SecretString)>,
    pub gzip: bool,
    /// Limit of one export, its retries included.
    pub timeout: Duration,
    pub sampler: Sampler,
    /// Attributes of the resource, `service.name` included.
    pub resource: Vec<(String, String)>,
    /// Ended spans that wait for their export.
    pub queue: usize,
    /// Longest wait before an export.
    pub delay: Duration,
}

/// A variable with its value.
type Named = (&'static str, SecretString);

struct Variables<'a> {
    secrets: &'a Secrets,
    faults: Faults,
}

impl Tracing {
    /// Reads the variables; `None` without an address of a collector, or where they turn traces off.
    ///
    /// # Errors
    /// Every invalid setting.
    pub fn read(secrets: &Secrets) -> Result<Option<Self>, Faults> {
        let mut variables = Variables { secrets, faults: Faults::default() };
        let tracing = variables.all();
        if variables.faults.is_empty() { Ok(tracing) } else { Err(variables.faults) }
    }

    /// The settings as text, with headers masked.
    #[must_use]
    pub fn shown(&self) -> String {
        let headers: Vec<String> = self.headers.iter().map(|(name, _)| format!("{name}=***")).collect();
        let resource: Vec<String> =
            self.resource.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (sampler, part) = self.sampler.words();
        let mut lines = vec![
            format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}", self.endpoint),
            format!("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT={}", self.timeout.as_millis()),
            format!("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION={}", if self.gzip { "gzip" } else { "none" }),
            format!("OTEL_RESOURCE_ATTRIBUTES={}", resource.join(",")),
            format!("OTEL_TRACES_SAMPLER={sampler}"),
            format!("OTEL_BSP_MAX_QUEUE_SIZE={}", self.queue),
            format!("OTEL_BSP_SCHEDULE_DELAY={}", self.delay.as_millis()),
        ];
        lines.extend(part.map(|part| format!("OTEL_TRACES_SAMPLER_ARG={part}")));
        if !headers.is_empty() {
            lines.push(format!("OTEL_EXPORTER_OTLP_TRACES_HEADERS={}", headers.join(",")));
        }
        lines.join("\n")
    }
}

impl Sampler {
    const WORDS: [&'static str; 6] = [
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
        "always_on",
        "always_off",
        "traceidratio",
    ];

    fn words(self) -> (String, Option<f64>) {
        let (word, part) = match self.root {
            Sample::All => ("always_on", None),
            Sample::Nothing => ("always_off", None),
            Sample::Part(part) => ("traceidratio", Some(part)),
        };
        (format!("{}{word}", if self.follows_parent { "parentbased_" } else { "" }), part)
    }
}

impl Variables<'_> {
    fn all(&mut self) -> Option<Tracing> {
        // Every variable is checked, also while no traces are exported: otherwise a wrong one would stop a later start.
        let is_disabled = match self.text("OTEL_SDK_DISABLED") {
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if !text.eq_ignore_ascii_case("false") => {
                self.wrong::<()>("OTEL_SDK_DISABLED", "must be true or false");
                true
            }
            _ => false,
        };
        let exporter = self.text("OTEL_TRACES_EXPORTER");
        let is_asked = match exporter.as_deref() {
            None => Some(false),
            Some("otlp") => Some(true),
            Some("none") => None,
            Some(_) => self.wrong("OTEL_TRACES_EXPORTER", "must be otlp or none"),
        };
        let endpoint = self.endpoint(is_asked == Some(true));
        for name in UNSUPPORTED {
            if self.secrets.has(name) {
                self.wrong::<()>(name, "is not supported; add the collector's CA to the CAs of the machine");
            }
        }
        self.protocol();
        let gzip = self.gzip();
        let timeout = self.number(
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            10_000,
            LONGEST_TIMEOUT,
        );
        let headers = self.headers();
        let sampler = self.sampler();
        let resource = self.resource();
        let queue = self.number("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE", 2048, LARGEST_QUEUE);
        let delay = self.number("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY", 5000, LONGEST_TIMEOUT);
        if is_disabled || is_asked.is_none() {
            return None;
        }
        let (endpoint, is_loopback) = endpoint?;
        Some(Tracing {
            endpoint,
            is_loopback,
            headers: headers?,
            gzip: gzip?,
            timeout: Duration::from_millis(timeout?),
            sampler: sampler?,
            resource: resource?,
            queue: usize::try_from(queue?).ok()?,
            delay: Duration::from_millis(delay?),
        })
    }

    /// Notes a fault.
    fn wrong<T>(&mut self, name: &str, problem: impl Into<String>) -> Option<T> {
        self.faults.push(InvalidSetting::new(name, problem));
        None
    }

    fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        let value = self.secrets.read(name, None);
        self.faults.take(value).flatten()
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.secret(name).map(|value| value.expose_secret().trim().to_owned())
    }

    /// The variable for traces, or the one for everything that is exported.
    fn first(&mut self, [traces, general]: [&'static str; 2]) -> Option<Named> {
        let named = self.secret(traces).map(|value| (traces, value));
        named.or_else(|| self.secret(general).map(|value| (general, value)))
    }

    /// The address of the collector. The general variable names the collector, that of traces the whole address.
    fn endpoint(&mut self, is_asked: bool) -> Option<(String, bool)> {
        let given = self.first(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        let (name, text) = match given {
            Some((name, value)) => (name, value.expose_secret().trim().to_owned()),
            None if is_asked => ("OTEL_EXPORTER_OTLP_ENDPOINT", LOCAL_COLLECTOR.to_owned()),
            None => return None,
        };
        let url =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(mut url) = url else {
            return self.wrong(name, "must be a URL such as http://localhost:4318");
        };
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            let problem = "must hold no user, password, query or fragment; secrets belong into OTEL_EXPORTER_OTLP_HEADERS";
            return self.wrong(name, problem);
        }
        if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
            let path = format!("{}/{TRACES_PATH}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        Some((url.to_string(), is_loopback))
    }

    fn protocol(&mut self) {
        let given = self.first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
        let Some((name, value)) = given else { return };
        match value.expose_secret().trim() {
            "http/protobuf" => {}
            "grpc" => {
                let problem = "must be http/protobuf: grpc is not supported; collectors listen for http/protobuf on port 4318";
                self.wrong::<()>(name, problem);
            }
            _ => {
                self.wrong::<()>(name, "must be http/protobuf");
            }
        }
    }

    fn gzip(&mut self) -> Option<bool> {
        let given = self.first(["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"]);
        let Some((name, value)) = given else { return Some(false) };
        match value.expose_secret().trim() {
            "none" => Some(false),
            "gzip" => Some(true),
            _ => self.wrong(name, "must be gzip or none"),
        }
    }

    fn number(
        &mut self,
        traces: &'static str,
        general: &'static str,
        default: u64,
        most: u64,
    ) -> Option<u64> {
        let Some((name, value)) = self.first([traces, general]) else { return Some(default) };
        let number = value.expose_secret().trim().parse().ok();
        let number = number.filter(|number| (1..=most).contains(number));
        number.or_else(|| self.wrong(name, format!("must be a whole number from 1 to {most}")))
    }

    fn headers(&mut self) -> Option<Vec<(String, SecretString)>> {
        let given = self.first(["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]);
        let Some((name, value)) = given else { return Some(Vec::new()) };
        let problem = "must be headers such as authorization=Bearer%20abc,x-tenant=7";
        let Some(pairs) = pairs(value.expose_secret()) else { return self.wrong(name, problem) };
        let is_valid = |(name, value): &(String, String)| {
            http::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && http::HeaderValue::from_str(value).is_ok()
        };
        if !pairs.iter().all(is_valid) {
            return self.wrong(name, problem);
        }
        Some(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
    }

    fn sampler(&mut self) -> Option<Sampler> {
        let word = self.text("OTEL_TRACES_SAMPLER").unwrap_or_else(|| Sampler::WORDS[0].to_owned());
        let part = self.text("OTEL_TRACES_SAMPLER_ARG").map_or(Some(1.0), |text| text.parse().ok());
        let part = match part.filter(|part| (0.0..=1.0).contains(part)) {
            Some(part) => Some(part),
            None => self.wrong("OTEL_TRACES_SAMPLER_ARG", "must be a number from 0 to 1"),
        };
        if !Sampler::WORDS.contains(&word.as_str()) {
            return self
                .wrong("OTEL_TRACES_SAMPLER", format!("must be one of {}", Sampler::WORDS.join(", ")));
        }
        let root = match word.trim_start_matches("parentbased_") {
            "always_on" => Sample::All,
            "always_off" => Sample::Nothing,
            _ => Sample::Part(part?),
        };
        Some(Sampler { root, follows_parent: word.starts_with("parentbased_") })
    }

    fn resource(&mut self) -> Option<Vec<(String, String)>> {
        let mut attributes = match self.text("OTEL_RESOURCE_ATTRIBUTES") {
            Some(text) => match pairs(&text) {
                Some(pairs) => pairs,
                None => {
                    let problem =
                        "must be attributes such as deployment.environment.name=prod,k8s.pod.name=a";
                    self.wrong("OTEL_RESOURCE_ATTRIBUTES", problem)?
                }
            },
            None => Vec::new(),
        };
        let given = self.text("OTEL_SERVICE_NAME");
        let is_named = attributes.iter().any(|(name, _)| name == "service.name");
        if given.is_some() || !is_named {
            attributes.retain(|(name, _)| name != "service.name");
            attributes.push(("service.name".to_owned(), given.unwrap_or_else(|| "tunnelgate".to_owned())));
        }
        Some(attributes)
    }
}

/// Pairs of names and percent-encoded values, as W3C Baggage has them.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value.into_owned()))
    };
    parts.map(pair).collect()
}

#[cfg(test)]
mod tests;
