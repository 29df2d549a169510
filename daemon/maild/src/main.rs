//! maild: one box's mail service, unprivileged, one process.
//!
//! `main` puts the parts together; each part is a file. Start reading at [`run`].

mod bootstrap;
mod drive;
mod identity;
mod link;
mod listen;
mod local;
mod panel;
mod ports;
mod status;
mod tls;
mod watch;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use control::Site;
use failover::beat::Key;
use failover::{Failover, Side};
use identity::Identity;
use listen::{Listeners, Place};
use node::Handle;
use ports::loopback::{Local, LoopbackPorts};
use ports::real::{LINK_PORT, RealPorts};
use ports::{Events, Ports};
use status::Statuses;
use tls::{ClientTls, PairCertificate};
use tokio::net::TcpListener;
use tokio::sync::watch as channel;
use tokio::time::timeout;
use watch::{Seen, Stop, Watch};

/// The firmware's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The peer gets this long to take the address of a box that stops.
const HANDOVER_WAIT: Duration = Duration::from_secs(3);
/// Sessions get this long to hear that the box stops, before it does.
const CLOSING: Duration = Duration::from_millis(300);

/// The mail service of one box of a twinpost pair.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The site file of this box.
    #[arg(long)]
    site: PathBuf,
    /// Where identity and mail are kept.
    #[arg(long)]
    data: PathBuf,
    /// Try a pair on one machine: listen on this address, leave the network alone.
    #[arg(long, requires_all = ["port_base", "link", "peer"])]
    listen: Option<IpAddr>,
    /// With --listen: added to each port number (10000: SMTP on 10025).
    #[arg(long)]
    port_base: Option<u16>,
    /// With --listen: the link's own address; heartbeats use the next two ports.
    #[arg(long)]
    link: Option<SocketAddr>,
    /// With --listen: the peer's --link.
    #[arg(long)]
    peer: Option<SocketAddr>,
    /// Where questions about the status are answered.
    #[arg(long, default_value = control::paths::MAILD_SOCKET)]
    socket: PathBuf,
    /// Where PID 1 listens.
    #[arg(long, default_value = control::paths::INIT_SOCKET)]
    init_socket: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(args))
}

/// To standard error. PID 1 stamps each line with the time itself.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(false);
    if std::os::unix::process::parent_id() == 1 {
        log.without_time().init();
    } else {
        log.init();
    }
}

async fn run(args: Args) -> Result<()> {
    let text = std::fs::read_to_string(&args.site)
        .with_context(|| format!("reading the site file {:?}", args.site))?;
    let site = Arc::new(Site::parse(&text)?);
    let identity = Arc::new(Identity::open(&args.data.join("identity"), site.pair_token.reveal())?);
    let blank = !site.first && !identity.has_joined();
    let config = node::shell::Config {
        side: record_side(site.side),
        directory: args.data.join("mail"),
        blank,
    };
    let running = tokio::task::spawn_blocking(move || node::shell::start(&config)).await??;
    let node = running.handle.clone();
    tracing::info!(side = %site.side, blank, version = VERSION, "maild is up");

    let first = PairCertificate::self_signed(vec![site.hostname.clone()])?;
    let client_tls = ClientTls::new(&first)?;
    let (ports, events) = open_ports(&args, &site).await?;
    let names = [failover::Path::Crossover, failover::Path::Lan].map(|path| ports.name(path));
    let seen = Arc::new(Seen::default());
    let statuses = Arc::new(Statuses {
        site: site.clone(),
        node: node.clone(),
        seen: seen.clone(),
        data: args.data.clone(),
        port_names: names,
        started: Instant::now(),
        alone: Default::default(),
    });
    let (closing_send, closing) = channel::channel(None);
    let (asked_send, asked) = channel::channel(None);
    let (stop_watch, stop) = channel::channel(Stop::No);
    let (handed_over_send, mut handed_over) = channel::channel(false);
    let link_peer = start_link(&args, &node, &identity).await?;
    let watch = Watch {
        failover: failover(&site, blank),
        ports,
        key: Key::new(identity.shared_key("heartbeat")),
        node: node.clone(),
        identity: identity.clone(),
        link_peer,
        seen,
        handed_over: handed_over_send,
    };
    let watch = tokio::spawn(watch.run(events, stop));

    let follow = statuses.clone();
    tokio::spawn(async move { follow.follow_view().await });
    tokio::spawn(bootstrap::follow(node.clone(), site.clone(), client_tls.clone()));
    let tls = client_tls.server_config()?;
    let place = Place {
        address: args.listen.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        base: args.port_base.unwrap_or(0),
    };
    let listeners = Listeners {
        handle: node.clone(),
        hostname: site.hostname.clone(),
        tls: tls.clone(),
        closing: closing.clone(),
    };
    listeners.start(place).await?;
    panel::start(place, tls, statuses.clone(), identity.shared_key("panel")).await?;
    let questions = statuses.clone();
    let socket = args.socket.clone();
    tokio::spawn(async move {
        if let Err(error) = local::answer_for_ever(&socket, questions).await {
            tracing::warn!(error = %format!("{error:#}"), "the status socket");
        }
    });
    let init = args.init_socket.clone();
    let ticked = node.clone();
    tokio::spawn(async move { local::tick_for_ever(&init, ticked, asked_send).await });

    wait_for_the_end(asked).await?;
    tracing::info!("stopping");
    stop_watch.send_replace(Stop::HandOver);
    // Whatever comes of it, the box stops.
    let _ = timeout(HANDOVER_WAIT, handed_over.wait_for(|done| *done)).await;
    closing_send.send_replace(Some("this box is stopping".into()));
    tokio::time::sleep(CLOSING).await;
    stop_watch.send_replace(Stop::Goodbye);
    watch.await?;
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// A signal, or PID 1's word.
async fn wait_for_the_end(mut asked: channel::Receiver<Option<String>>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = asked.wait_for(Option::is_some) => {}
    }
    Ok(())
}

async fn open_ports(args: &Args, site: &Arc<Site>) -> Result<(Ports, Events)> {
    if let (Some(link), Some(peer)) = (args.link, args.peer) {
        let (ports, events) = LoopbackPorts::open(Local { link }, Local { link: peer }).await?;
        return Ok((Ports::Loopback(ports), events));
    }
    let (ports, events) = RealPorts::open(site.clone()).await?;
    Ok((Ports::Real(ports), events))
}

/// Side a connects to where `failover` says the peer is; side b accepts.
async fn start_link(
    args: &Args,
    node: &Handle,
    identity: &Arc<Identity>,
) -> Result<channel::Sender<Option<SocketAddr>>> {
    let (send, peer) = channel::channel(None);
    let link = link::Link { handle: node.clone(), identity: identity.clone(), peer };
    match node.side() {
        record::Side::A => tokio::spawn(link.connect_for_ever()),
        record::Side::B => {
            let everywhere = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), LINK_PORT);
            let address = args.link.unwrap_or(everywhere);
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("listening on {address}"))?;
            tokio::spawn(link.accept_for_ever(listener))
        }
    };
    Ok(send)
}

fn failover(site: &Site, blank: bool) -> Failover {
    let side = match site.side {
        control::Side::A => Side::A,
        control::Side::B => Side::B,
    };
    let mut config = failover::Config::new(side);
    config.dead_after = Duration::from_millis(site.timing.dead_after_ms);
    config.commit_wait = config.dead_after;
    config.cold_start_wait = Duration::from_millis(site.timing.cold_start_wait_ms);
    config.first_boot_may_serve = !blank;
    config.has_gateway = matches!(
        (site.lan.gateway, site.lan.address.address),
        (Some(IpAddr::V4(_)), IpAddr::V4(_))
    );
    Failover::new(config, Instant::now(), Handle::new_id() as u64)
}

fn record_side(side: control::Side) -> record::Side {
    match side {
        control::Side::A => record::Side::A,
        control::Side::B => record::Side::B,
    }
}
