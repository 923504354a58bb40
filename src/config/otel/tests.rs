use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Option<Tracing>, Vec<String>> {
    let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let told = |faults: Faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    Tracing::read(&Secrets::new(all)).map_err(told)
}

fn on(variables: &[(&str, &str)]) -> Tracing {
    read(variables).expect("valid").expect("on")
}

#[test]
fn traces_are_off_without_an_address_and_where_they_are_turned_off() {
    let address = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for variables in [
        &[][..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[("OTEL_SERVICE_NAME", "x")],
        &[address, ("OTEL_SDK_DISABLED", "true")],
        &[address, ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        assert!(read(variables).is_ok_and(|tracing| tracing.is_none()), "{variables:?}");
    }
    assert_eq!(on(&[address, ("OTEL_SDK_DISABLED", "False")]).endpoint, "http://collector:4318/v1/traces");
    assert_eq!(on(&[("OTEL_TRACES_EXPORTER", "otlp")]).endpoint, "http://localhost:4318/v1/traces");
}

#[test]
fn the_variable_of_traces_wins_and_names_the_whole_address() {
    let tracing = on(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/base/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20canary, x-tenant=7"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=prod%2C1"),
        ("OTEL_SERVICE_NAME", "b"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    assert_eq!(tracing.endpoint, "https://collector/base/v1/traces");
    let headers: Vec<_> =
        tracing.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("authorization", "Bearer canary"), ("x-tenant", "7")]);
    assert_eq!(tracing.sampler, Sampler { root: Sample::Part(0.25), follows_parent: true });
    let shown = tracing.shown();
    assert!(!shown.contains("canary"), "{shown}");
    for line in [
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=500",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=gzip",
        "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=prod,1,service.name=b",
        "OTEL_TRACES_SAMPLER=parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG=0.25",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS=authorization=***,x-tenant=***",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    let other = on(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")]);
    assert_eq!(other.endpoint, "http://collector:4318/v1/traces");
}

#[test]
fn the_document_lists_the_variables_that_are_read() {
    let of = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        words.filter(|word| word.starts_with("OTEL_")).map(str::to_owned).collect()
    };
    let source = include_str!("../otel.rs");
    let (document, source) = (of(include_str!("../../../docs/logs.md")), of(source));
    let missing: Vec<_> = source
        .iter()
        .filter(|name| !name.contains("_CLIENT_") && !name.ends_with("TRACES_CERTIFICATE"))
        .filter(|name| !document.contains(*name))
        .collect();
    let unknown: Vec<_> = document.difference(&source).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
}

#[test]
fn every_fault_names_its_variable_and_shows_no_value() {
    let address = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:canary@b"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://canary"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=canary"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%0a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "canary"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "most"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "canary.pem"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ] {
        let faults = read(&[address, (name, value)]).err().unwrap_or_default();
        assert_eq!(faults.len(), 1, "{name}={value}: {faults:?}");
        assert!(
            faults[0].starts_with(&format!("{name}: ")) && !faults[0].contains("canary"),
            "{}",
            faults[0]
        );
        // Also while no traces are exported.
        for off in [("", ""), ("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            if off.0 != name {
                assert_eq!(read(&[off, (name, value)]).err().as_ref(), Some(&faults), "{off:?}");
            }
        }
    }
    let both = [address, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    assert_eq!(
        read(&both).err(),
        Some(vec!["OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1".to_owned()])
    );
}
