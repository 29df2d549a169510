//! maild: one box's mail service, unprivileged, one process.
//!
//! `main` puts the parts together; each part is a file. Start reading at [`run`].

mod ask;
mod backup;
mod bootstrap;
mod closing;
mod drive;
mod events;
mod formats;
mod guard;
mod health;
mod holder;
mod identity;
mod link;
mod listen;
mod local;
mod log;
mod marks;
mod metrics;
mod panel;
mod ports;
mod status;
mod time;
mod tls;
mod watch;
mod witness;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use closing::Closings;
use control::Site;
use events::Events;
use formats::Blessing;
use health::Checks;
use identity::Identity;
use listen::{Listeners, Place};
use marks::Marks;
use node::Handle;
use ports::real::LINK_PORT;
use status::Statuses;
use time::TimeKeeper;
use tls::{ClientTls, PairCertificate};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch as channel};
use tokio::time::timeout;
use watch::{Seen, Stop, WatchParts, Wishes};

/// The firmware's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The peer gets this long to take the address of a box that stops.
const HANDOVER_WAIT: Duration = Duration::from_secs(3);
/// Sessions get this long to hear that the box stops, before it does.
const CLOSING: Duration = Duration::from_millis(300);
/// The exit code of a box whose disk or store failed: PID 1 starts it again after a while.
const CANNOT_GO_ON: i32 = 3;

/// The mail service of one box of a twinpost pair.
#[derive(Parser)]
#[command(version)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Option<Serve>,
}

#[derive(clap::Subcommand)]
enum Command {
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    ServeAlone(backup::ServeAloneArgs),
    HoldFormat(formats::HoldFormatArgs),
}

/// Without a command: serves.
#[derive(clap::Args)]
struct Serve {
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
    /// For trials: every record is read and checked once in so many seconds.
    #[arg(long, hide = true)]
    scrub_round_s: Option<u64>,
    /// For trials: dead messages are given up after so many seconds.
    #[arg(long, hide = true)]
    reclaim_interval_s: Option<u64>,
    /// For trials: be a release that knows other record formats (OLDEST-NEWEST,SECONDS: when they are blessed).
    #[arg(long, hide = true)]
    trial_formats: Option<formats::Trial>,
}

impl Serve {
    fn pace(&self) -> node::upkeep::Pace {
        let usual = node::upkeep::Pace::default();
        let seconds = |given: Option<u64>| given.map(Duration::from_secs);
        node::upkeep::Pace {
            scrub_round: seconds(self.scrub_round_s).unwrap_or(usual.scrub_round),
            reclaim_interval: seconds(self.reclaim_interval_s).unwrap_or(usual.reclaim_interval),
        }
    }
}

fn main() -> Result<()> {
    let outcome = command();
    log::flush();
    outcome
}

fn command() -> Result<()> {
    // A program of its own, for a host that is none of the pair's.
    if std::env::args().nth(1).as_deref() == Some("witness") {
        log::start()?;
        return witness::main(std::env::args().skip(1));
    }
    let args = Args::parse();
    log::start()?;
    let args = match (args.command, args.serve) {
        (Some(Command::Backup(args)), _) => return args.run(),
        (Some(Command::Restore(args)), _) => return args.run(),
        (Some(Command::ServeAlone(args)), _) => return args.run(),
        (Some(Command::HoldFormat(args)), _) => return args.run(),
        (None, Some(args)) => args,
        (None, None) => anyhow::bail!("--site and --data say which box this is; see --help"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(args))
}

async fn run(args: Serve) -> Result<()> {
    let text = std::fs::read_to_string(&args.site)
        .with_context(|| format!("reading the site file {:?}", args.site))?;
    let site = Arc::new(Site::parse(&text)?);
    let identity = Arc::new(Identity::open(&args.data.join("identity"), site.pair_token.reveal())?);
    let blank = !identity.has_joined();
    let may_serve_alone = identity.may_serve_alone(site.first);
    let side = record_side(site.side);
    let formats = formats::of_this_box(side, &identity, args.trial_formats.as_ref());
    let config = node::shell::Config {
        side,
        formats: formats.clone(),
        directory: args.data.join("mail"),
        blank,
        may_serve_alone,
        pace: args.pace(),
        stand_back: linux::scheduling::stand_back,
    };
    let running = tokio::task::spawn_blocking(move || node::shell::start(&config)).await??;
    let node = running.handle.clone();
    tracing::info!(side = %site.side, blank, may_serve_alone, version = VERSION, "maild is up");

    let first = PairCertificate::self_signed(vec![site.hostname.clone()])?;
    let client_tls = ClientTls::new(&first)?;
    let seen = Arc::new(Seen::default());
    let closings = Closings::default();
    let (asked_send, asked) = channel::channel(None);
    let (stop_watch, stop) = channel::channel(Stop::No);
    let (handed_over_send, mut handed_over) = channel::channel(false);
    let events = Arc::new(Events::open(&args.data)?);
    let link = link::Parts {
        handle: node.clone(),
        identity: identity.clone(),
        seen: seen.clone(),
        events: events.clone(),
    };
    let link_peer = start_link(&args, link).await?;
    let blessing = Arc::new(Blessing::new(
        node.clone(),
        seen.clone(),
        identity.clone(),
        &formats,
        args.trial_formats.as_ref(),
    ));
    let proved = blessing.clone();
    tokio::spawn(async move { proved.follow().await });
    let (wishes, wished) = Wishes::channel();
    let (listening_send, listening) = channel::channel(None);
    let parts = watch::Parts {
        site: site.clone(),
        local: args.link.zip(args.peer),
        first_may_serve: blank && may_serve_alone,
        data: args.data.clone(),
        node: node.clone(),
        identity: identity.clone(),
        marks: Marks::start(identity.clone())?,
        link_peer,
        seen: seen.clone(),
        handed_over: handed_over_send,
        closings: closings.clone(),
        events: events.clone(),
    };
    let checks = Checks {
        node: node.clone(),
        data: args.data.clone(),
        listening,
        runtime: tokio::runtime::Handle::current(),
    };
    let watch = WatchParts { parts, wishes: wished, checks };
    let (watch, names) = watch.start(stop).await?;
    let statuses = Arc::new(Statuses {
        site: site.clone(),
        node: node.clone(),
        seen: seen.clone(),
        data: args.data.clone(),
        port_names: names,
        started: Instant::now(),
        alone: Default::default(),
        events,
        wishes,
        blessing,
    });
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
        closings: closings.clone(),
    };
    let mut open = listeners.start(place).await?;
    panel::start(place, tls, statuses.clone(), identity.shared_key("panel")).await?;
    open.targets.push(panel::target(place));
    listening_send.send_replace(Some(open));
    let questions = statuses.clone();
    let socket = args.socket.clone();
    tokio::spawn(async move {
        if let Err(error) = local::answer_for_ever(&socket, questions).await {
            tracing::warn!(error = %format!("{error:#}"), "the status socket");
        }
    });
    let init = args.init_socket.clone();
    let ticked = node.clone();
    let (wishes, clock) = mpsc::channel(time::WISHES_MAX);
    tokio::spawn(async move { local::tick_for_ever(&init, ticked, asked_send, clock).await });
    let cookie = || Handle::new_id() as u64;
    tokio::spawn(TimeKeeper { site: site.clone(), seen: seen.clone(), wishes, cookie }.run());

    if let Some(reason) = wait_for_the_end(asked, node.failed()).await? {
        // Nothing is left to drain: the sooner the peer hears it, the sooner it serves.
        stop_watch.send_replace(Stop::Goodbye);
        let _ = tokio::task::spawn_blocking(move || watch.join()).await?;
        tracing::error!(%reason, "stopped");
        std::process::exit(CANNOT_GO_ON);
    }
    tracing::info!("stopping");
    stop_watch.send_replace(Stop::HandOver);
    // Whatever comes of it, the box stops.
    let _ = timeout(HANDOVER_WAIT, handed_over.wait_for(|done| *done)).await;
    closings.all("this box is stopping");
    tokio::time::sleep(CLOSING).await;
    stop_watch.send_replace(Stop::Goodbye);
    tokio::task::spawn_blocking(move || watch.join())
        .await?
        .map_err(|_| anyhow::anyhow!("failover died"))?;
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// A signal, or PID 1's word, or, with the reason, the node's that it cannot go on.
async fn wait_for_the_end(
    mut asked: channel::Receiver<Option<String>>,
    mut failed: channel::Receiver<Option<String>>,
) -> Result<Option<String>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = asked.wait_for(Option::is_some) => {}
        reason = failed.wait_for(Option::is_some) => return Ok(reason?.clone()),
    }
    Ok(None)
}

/// Side a connects to where `failover` says the peer is; side b accepts.
async fn start_link(
    args: &Serve,
    parts: link::Parts,
) -> Result<channel::Sender<Option<SocketAddr>>> {
    let (send, peer) = channel::channel(None);
    let side = parts.handle.side();
    let link = link::Link { parts, peer };
    match side {
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

fn record_side(side: control::Side) -> record::Side {
    match side {
        control::Side::A => record::Side::A,
        control::Side::B => record::Side::B,
    }
}
