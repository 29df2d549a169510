//! The panel with made-up data over plain HTTP on loopback, for working on it:
//!
//! `cargo run -p web-ui --example panel -- [PORT] [both|alone|catching-up|starting]`, password `twinpost`.
//!
//! Port 0 takes any free one; the address is printed. The numbers move by themselves. In `both`, the crossover cable
//! goes down when there are more than three accounts.

#[path = "../tests/panel/mod.rs"]
mod panel;

use std::sync::Arc;

use panel::Fake;
use web_ui::Panel;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(8025_u16);
    let fake = Fake::new(&arguments.next().unwrap_or_else(|| "both".into()), panel::Numbers::Move);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/ password {}", listener.local_addr()?, panel::PASSWORD);
    let router = Panel::new(Arc::new(fake), [7; 32]).without_tls().router();
    axum::serve(listener, router).await
}
