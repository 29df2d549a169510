//! [`Netlink`] for async programs.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Address, AddressOnPort, Link, Netlink, Use};
use crate::{Error, Result};

/// A handle that may be cloned. Each call runs on tokio's pool of blocking threads: the kernel
/// answers within microseconds, except while a driver holds the kernel's network lock, and then the
/// event loop must go on turning.
#[derive(Clone, Debug)]
pub struct Network {
    netlink: Arc<Mutex<Netlink>>,
}

impl Network {
    /// # Errors
    /// What the kernel says.
    pub fn open() -> Result<Network> {
        Ok(Network { netlink: Arc::new(Mutex::new(Netlink::open()?)) })
    }

    /// See [`Netlink::links`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn links(&self) -> Result<Vec<Link>> {
        self.call(Netlink::links).await
    }

    /// See [`Netlink::link`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn link(&self, name: &str) -> Result<Option<Link>> {
        let name = name.to_owned();
        self.call(move |netlink| netlink.link(&name)).await
    }

    /// See [`Netlink::set_up`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_up(&self, index: u32) -> Result<()> {
        self.call(move |netlink| netlink.set_up(index)).await
    }

    /// See [`Netlink::set_down`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_down(&self, index: u32) -> Result<()> {
        self.call(move |netlink| netlink.set_down(index)).await
    }

    /// See [`Netlink::addresses`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn addresses(&self, index: u32) -> Result<Vec<AddressOnPort>> {
        self.call(move |netlink| netlink.addresses(index)).await
    }

    /// See [`Netlink::add_address`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn add_address(&self, index: u32, address: Address) -> Result<bool> {
        self.call(move |netlink| netlink.add_address(index, address)).await
    }

    /// See [`Netlink::put_address`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn put_address(&self, index: u32, address: Address, purpose: Use) -> Result<bool> {
        self.call(move |netlink| netlink.put_address(index, address, purpose)).await
    }

    /// See [`Netlink::default_gateways`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn default_gateways(&self, index: u32) -> Result<Vec<IpAddr>> {
        self.call(move |netlink| netlink.default_gateways(index)).await
    }

    /// See [`Netlink::remove_address`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn remove_address(&self, index: u32, address: Address) -> Result<bool> {
        self.call(move |netlink| netlink.remove_address(index, address)).await
    }

    /// See [`Netlink::set_default_route`].
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_default_route(
        &self,
        index: u32,
        gateway: IpAddr,
        source: Option<IpAddr>,
    ) -> Result<()> {
        self.call(move |netlink| netlink.set_default_route(index, gateway, source)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Netlink) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let netlink = Arc::clone(&self.netlink);
        let run = move || {
            // A panic half way leaves at worst an unread answer, which the next request skips.
            let mut netlink = netlink.lock().unwrap_or_else(PoisonError::into_inner);
            ask(&mut netlink)
        };
        tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| {
            Err(Error::kernel("ask the kernel", std::io::Error::other(error)))
        })
    }
}
