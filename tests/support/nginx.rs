//! A real nginx in front of a gateway.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::consumer::PATIENCE;

/// The ports that this process tries, below those that the system assigns to others.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// A port for a proxy, known before the gateway starts: the gateway's settings name it.
pub struct Front {
    pub port: u16,
}

/// A running nginx.
pub struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
}

impl Front {
    pub fn new() -> Self {
        static TRIED: AtomicU16 = AtomicU16::new(0);
        let first = (std::process::id() % u32::from(PORTS)) as u16;
        for _ in 0..PORTS {
            let offset = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % PORTS;
            let port = FIRST_PORT + offset;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return Self { port };
            }
        }
        panic!("no free port");
    }

    /// The address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts nginx with the configuration in `docs/proxies.md`, which strips `/tunnelgate`, in front of a gateway at
    /// `http://…`. `more` are further directives of its server.
    pub fn nginx(&self, gateway: &str, more: &str) -> Nginx {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proxies.md"));
        let documented = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
        let documented = documented.expect("a configuration in docs/proxies.md");
        let gateway = gateway.trim_start_matches("http://");
        assert!(
            documented.contains("127.0.0.1:8080") && documented.contains("listen 443 ssl;"),
            "{documented}"
        );
        let server = documented
            .replace("127.0.0.1:8080", gateway)
            .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{};\n{more}", self.port));
        Nginx::start(self.port, &server)
    }
}

impl Nginx {
    fn start(port: u16, server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr warn;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{server}}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).expect("the file is written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx (scripts/test installs it)");
        let mut nginx = Self { child, folder };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = nginx.child.try_wait().expect("its status");
            assert!(ended.is_none() && Instant::now() < until, "nginx does not start: {}", nginx.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// What nginx wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
