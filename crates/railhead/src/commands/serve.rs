//! `railhead serve`: opens the site, binds, says where it is, and serves until it is told to stop.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use railhead_access::TokenScope;
use railhead_operate::Retention;
use railhead_server::{AccessLog, Certificates, Ended, Listeners, Server};
use railhead_workload::Workloads;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::Context;
use super::welcome::Welcome;
use crate::config::{Config, Layers, LogFormat};
use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;
use crate::site::{DataDirectory, LockError, Site};

/// Stack of a thread of the runtime. Its tasks are state machines on the heap; this is for what they call.
const STACK: usize = 1 << 20;

/// How often to look whether retention is due. A trash that ends a little later harms nobody.
const RETAIN_LOOK: Duration = Duration::from_mins(10);

/// Run the registry.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration's flags.
    #[command(flatten)]
    flags: Flags,
}

/// The keys of the configuration that have flags of their own.
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Debug, Args)]
pub struct Flags {
    /// Listen on this address and port [default: 127.0.0.1:5050] [variable: RAILHEAD_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A public host name of the registry; can be repeated [variable: RAILHEAD_HOSTS]
    #[arg(long = "host", value_name = "NAME[:PORT]")]
    hosts: Vec<String>,
    /// An address, or a block of them, whose X-Forwarded-… headers count; can be repeated [variable: RAILHEAD_TRUSTED_PROXIES]
    #[arg(long = "trusted-proxy", value_name = "BLOCK")]
    trusted_proxies: Vec<String>,
    /// The certificate chain, in PEM [variable: RAILHEAD_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The certificate's private key, in PEM [variable: RAILHEAD_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Make a certificate in the data directory, and serve TLS with it [variable: RAILHEAD_TLS_SELF_SIGNED]
    #[arg(long)]
    tls_self_signed: bool,
    /// How the log on standard error is written: text or json [variable: RAILHEAD_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What to log: error, warn, info, debug, trace, or directives [variable: RAILHEAD_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl Flags {
    /// Adds the flags that were given to the layers.
    pub fn apply(self, layers: &mut Layers) {
        let one = |name, value: Option<String>| value.map(|value| (name, vec![value]));
        let many = |name, values: Vec<String>| (!values.is_empty()).then_some((name, values));
        let given = [
            one("listen", self.listen),
            many("hosts", self.hosts),
            many("trusted_proxies", self.trusted_proxies),
            one("tls.cert", self.tls_cert),
            one("tls.key", self.tls_key),
            one("tls.self_signed", self.tls_self_signed.then(|| "true".to_owned())),
            one("log.format", self.log_format),
            one("log.level", self.log_level),
        ];
        layers.flags.extend(given.into_iter().flatten());
    }
}

impl Serve {
    /// Runs it.
    pub fn run(self, mut context: Context) -> Result<()> {
        if context.common.server.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "`serve` runs a registry here; --server names one elsewhere",
            ));
        }
        self.flags.apply(&mut context.layers);
        let config = context.config()?;
        let retention = context.retention()?;
        let workloads = context.workloads()?;
        start_log(&config)?;
        // Whatever is made from here on is for this user alone.
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        let directory = DataDirectory::create(&config.data).map_err(|error| locked(&error))?;
        if directory.is_open_to_others() {
            context.printer.warning(&format!(
                "other users of this machine can look into {0}; `chmod 700 {0}` closes it",
                directory.path().display()
            ));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.workers.unwrap_or(cores.max(2)))
            .thread_stack_size(STACK)
            .thread_name("railhead")
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failed, "cannot start the runtime").because(&error))?;
        let ended = runtime.block_on(serve(&config, retention, workloads, context.printer));
        // Threads that wait for a disk may take longer than anybody wants to wait at the end.
        runtime.shutdown_timeout(Duration::from_secs(5));
        drop(directory);
        ended
    }
}

fn locked(error: &LockError) -> Failure {
    match error {
        LockError::Taken { .. } => Failure::of(Exit::Conflict, error)
            .hint("stop that process, or give this one a data directory of its own with --data"),
        LockError::Io { .. } => Failure::of(Exit::Failed, error),
    }
}

async fn serve(
    config: &Config,
    retention: Retention,
    workloads: Option<Workloads<TokenScope>>,
    printer: Printer,
) -> Result<()> {
    let mut settings = server_settings(config, retention)?;
    let tcp = TcpListener::bind(config.listen).await.map_err(|error| cannot_listen(config.listen, &error))?;
    let address = tcp.local_addr().map_err(|error| cannot_listen(config.listen, &error))?;
    let certificates = certificates(config, address)?;
    let site = Site::open_for(config, workloads).await?;
    let serving = Serving::begin(&config.data)
        .map_err(|error| Failure::new(Exit::Failed, "cannot write to the data directory").because(&error))?;
    settings.sweep = serving.was_killed;
    let served = run(config, printer, &site, settings, tcp, address, certificates).await;
    let closed = site.close().await;
    // What failed first is what there is to say.
    let clean = served?;
    closed?;
    if clean {
        serving.end();
    }
    Ok(())
}

/// A file that is there while a server runs, and is left behind by one that was killed.
struct Serving {
    file: PathBuf,
    was_killed: bool,
}

impl Serving {
    fn begin(data: &Path) -> std::io::Result<Self> {
        let file = data.join("serving");
        let was_killed = file.try_exists()?;
        std::fs::write(&file, b"")?;
        Ok(Self { file, was_killed })
    }

    fn end(self) {
        // If it cannot be removed, the next start looks for leftovers that are not there: no harm done.
        let _ = std::fs::remove_file(self.file);
    }
}

async fn run(
    config: &Config,
    printer: Printer,
    site: &Site,
    settings: railhead_server::Settings,
    tcp: TcpListener,
    address: SocketAddr,
    certificates: Option<Certificates>,
) -> Result<bool> {
    let bootstrap = site
        .access
        .bootstrap()
        .await
        .map_err(|error| Failure::new(Exit::Failed, "cannot make the first account").because(&error))?;
    let socket = config.data.join("control.sock");
    let control = listen_locally(&socket)?;
    let (stop, stopped) = watch::channel(false);
    listen_to_signals(stop)?;
    let format = match config.log_format {
        LogFormat::Text => railhead_server::LogFormat::Text,
        LogFormat::Json => railhead_server::LogFormat::Json,
    };
    let (log, writer) = AccessLog::start(format, std::io::stderr())
        .map_err(|error| Failure::new(Exit::Failed, "cannot start the access log").because(&error))?;
    let server = Server::new(site.access.clone(), site.registry.clone(), settings, log);
    // Connections wait at the socket from the moment it was bound, so this is true already.
    Welcome::new(config, address, certificates.as_ref(), bootstrap.as_ref()).say(printer)?;
    if let (Some(forge), Some(named)) = (site.access.forge(), &config.forge) {
        tokio::spawn(crate::forge::greet(forge.clone(), named.url.clone()));
    }
    let listeners = Listeners { tcp: vec![tcp], certificates, control: Some(control) };
    let Ended { cut, clean } = server
        .run(listeners, stopped)
        .await
        .map_err(|error| Failure::new(Exit::Failed, "cannot serve").because(&error))?;
    drop(writer);
    // The next start makes a new one; a stale one only costs a command a failed connection.
    let _ = std::fs::remove_file(&socket);
    if cut > 0 {
        let limit = config.shutdown.as_secs();
        printer.warning(&format!("{cut} connections were cut: they did not end within {limit} s"));
    }
    Ok(clean)
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("cannot listen on {address}")).because(error);
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.hint("another program has that port; choose one with --listen")
        }
        std::io::ErrorKind::PermissionDenied => {
            failure.hint("ports below 1024 need a privilege; choose another one")
        }
        _ => failure,
    }
}

fn certificates(config: &Config, address: SocketAddr) -> Result<Option<Certificates>> {
    let made = match &config.tls {
        Some((certificate, key)) => Certificates::load(certificate, key),
        None if config.self_signed => {
            let names = super::welcome::certificate_names(config, address);
            Certificates::self_signed(&config.data.join("tls"), &names)
        }
        None => return Ok(None),
    };
    made.map(Some).map_err(|error| Failure::new(Exit::Failed, "cannot set up TLS").because(&error))
}

/// The socket that commands on this machine use. Who can open it is the administrator, so it is for this user alone;
/// the umask makes it so from its first moment.
fn listen_locally(socket: &Path) -> Result<UnixListener> {
    let failed = |error: &std::io::Error| {
        let failure =
            Failure::new(Exit::Failed, format!("cannot make the control socket {}", socket.display()));
        let failure = failure.because(error);
        // The system has room for 108 bytes of a socket's path.
        if socket.as_os_str().len() > 107 {
            failure.hint("the path is too long; use a shorter --data")
        } else {
            failure
        }
    };
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&error)),
        _ => {}
    }
    let listener = UnixListener::bind(socket).map_err(|error| failed(&error))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| failed(&error))?;
    Ok(listener)
}

/// SIGTERM and SIGINT end the server in good order; a second one at once.
fn listen_to_signals(stop: watch::Sender<bool>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::new(Exit::Failed, "cannot listen to signals").because(&error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                tracing::warn!("stopped at once by a second signal");
                std::process::exit(130);
            }
            tracing::info!("stopping: running requests are finished first");
            stop.send_replace(true);
        }
    });
    Ok(())
}

fn server_settings(config: &Config, retention: Retention) -> Result<railhead_server::Settings> {
    let blocks = config.trusted_proxies.iter().map(|block| block.parse());
    let trusted_proxies = blocks
        .collect::<Result<Vec<_>, String>>()
        .map_err(|error| Failure::new(Exit::Usage, format!("trusted_proxies: {error}")))?;
    Ok(railhead_server::Settings {
        hosts: railhead_server::Hosts { names: config.hosts.clone(), trusted_proxies },
        shutdown: config.shutdown,
        upload_life: config.upload_lifetime,
        collect_every: config.collect_every,
        rules: retention.rules,
        retain_every: retention.every,
        retain_look: RETAIN_LOOK,
        scrub: crate::heal::settings(config)?,
        sweep: false,
    })
}

/// The log goes to standard error.
fn start_log(config: &Config) -> Result<()> {
    let wrong = |error: &(dyn std::error::Error + 'static)| {
        Failure::new(Exit::Usage, format!("log.level '{}' cannot be read", config.log_level)).because(error)
    };
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level).map_err(|error| wrong(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Failed, format!("cannot start the log: {error}")))
}
