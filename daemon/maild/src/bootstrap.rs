//! What a new pair gets once: the admin's password, the mail domain, the certificate for clients.
//! And what every box does with the settings from then on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use control::Site;
use node::Handle;
use record::Side;
use replica::{Mode, Wish};

use crate::tls::{ClientTls, PairCertificate, SETTING as CERTIFICATE};

/// The argon2id hash of the panel's password.
pub const ADMIN_PASSWORD: &str = "admin.password";

/// Between two looks at the settings.
const LOOK: Duration = Duration::from_secs(1);

/// Makes what is missing, when this box is the one to order settings, and shows clients the pair's
/// certificate whenever it changes.
pub async fn follow(node: Handle, site: Arc<Site>, tls: Arc<ClientTls>) {
    let mut shown = Vec::new();
    loop {
        if let Err(error) = once(&node, &site).await {
            tracing::warn!(error = %format!("{error:#}"), "setting up the pair");
        }
        if let Ok(Some(now)) = node.users().setting(CERTIFICATE)
            && now != shown
        {
            match postcard::from_bytes::<PairCertificate>(&now)
                .context("the pair's certificate cannot be read")
                .and_then(|certificate| tls.replace(&certificate))
            {
                Ok(()) => tracing::info!("the pair's certificate is in use"),
                Err(error) => tracing::error!(%error, "the pair's certificate"),
            }
            shown = now;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn once(node: &Handle, site: &Site) -> Result<()> {
    let orders_settings = match node.mode() {
        Mode::Alone => true,
        Mode::Both => node.side() == Side::A,
        Mode::Starting | Mode::Waiting => false,
    };
    let is_missing = |key: &str| matches!(node.users().setting(key), Ok(None));
    if !orders_settings || node.progress().applied < node.progress().synced {
        return Ok(());
    }
    if is_missing(CERTIFICATE) {
        let mut names = vec![site.hostname.clone(), site.domain.clone()];
        names.extend(site.service.all().map(|network| network.address.to_string()));
        let certificate = PairCertificate::self_signed(names)?;
        set(node, CERTIFICATE, postcard::to_stdvec(&certificate)?).await?;
    }
    if is_missing(users::SETTING_DOMAINS) {
        set(node, users::SETTING_DOMAINS, site.domain.to_lowercase().into_bytes()).await?;
    }
    if is_missing(ADMIN_PASSWORD)
        && let Some(password) = &site.admin_password
    {
        let password = password.reveal().to_owned();
        let salt = Handle::new_id().to_le_bytes();
        let hash = tokio::task::spawn_blocking(move || users::hash_password(&password, salt));
        set(node, ADMIN_PASSWORD, hash.await?.into_bytes()).await?;
    }
    Ok(())
}

async fn set(node: &Handle, key: &str, value: Vec<u8>) -> Result<()> {
    tracing::info!(key, "a first setting of the pair");
    node.submit(Wish::Setting { key: key.to_owned(), value }).await?;
    Ok(())
}
