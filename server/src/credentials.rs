//! The first start: an admin, an account, an API key, and the file that says them.
//!
//! The secrets reach a temporary file before anything is committed, so that a crash at any moment leaves either nothing or
//! secrets that somebody can read. A start after a crash goes on from that file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use waxwing_app::{
    commands::{
        ApiKeyCommandError, AuthenticateError, CreateAccountError, CreatedAccount, DrawnApiKey, NewAccount,
    },
    execute::Cause,
    keys,
    ports::{Guard, Write},
    rows,
};
use waxwing_domain::{AccountId, Secret, UserId, account::AccountError, user::UserError};

use crate::{engine::Installation, internal::write_private};

const FILE: &str = "credentials.json";
const PENDING: &str = "credentials.pending.json";
/// The address of the first admin, who may change it.
const ADMIN_EMAIL: &str = "admin@waxwing.localhost";

/// What `credentials.json` says.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) base_url: String,
    pub(crate) admin_email: String,
    pub(crate) admin_password: String,
    pub(crate) account_id: String,
    pub(crate) api_key: String,
}

/// Which account the first start made.
#[derive(Serialize, Deserialize)]
struct FirstAccount {
    account: AccountId,
    owner: UserId,
}

/// Credentials on their way into the file.
#[derive(Serialize, Deserialize)]
struct Pending {
    credentials: Credentials,
    owner: UserId,
}

/// Credentials that work, and whether they are news.
pub(crate) struct Bootstrapped {
    pub(crate) credentials: Credentials,
    pub(crate) fresh: bool,
    folder: PathBuf,
}

impl Bootstrapped {
    /// Puts the file into its place, with the address in use.
    pub(crate) fn publish(&self) -> Result<PathBuf> {
        let path = self.folder.join(FILE);
        write_private(&path, &serde_json::to_vec_pretty(&self.credentials)?)?;
        let _ = fs::remove_file(self.folder.join(PENDING));
        Ok(path)
    }
}

/// Reads or makes the credentials of an installation.
pub(crate) async fn bootstrap(
    installation: &Installation,
    folder: &Path,
    base_url: String,
) -> Result<Bootstrapped> {
    let (path, pending) = (folder.join(FILE), folder.join(PENDING));
    if let Some(mut credentials) = read::<Credentials>(&path)? {
        match installation.commands.authenticate(&credentials.api_key).await {
            Ok(_) => {
                credentials.base_url = base_url;
                return Ok(Bootstrapped { credentials, fresh: false, folder: folder.to_owned() });
            },
            // Of the other build, of another database, or revoked: new ones, and said aloud.
            Err(AuthenticateError::Invalid) => {
                tracing::warn!("the API key of {} does not work here: making a new one", path.display());
            },
            Err(error) => return Err(error.into()),
        }
    }
    let mut wanted = match read::<Pending>(&pending)? {
        Some(wanted) => wanted,
        None => {
            let wanted = draw(installation).await?;
            write_private(&pending, &serde_json::to_vec_pretty(&wanted)?)?;
            wanted
        },
    };
    commit(installation, &wanted).await?;
    wanted.credentials.base_url = base_url;
    Ok(Bootstrapped { credentials: wanted.credentials, fresh: true, folder: folder.to_owned() })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => {
            let read = serde_json::from_slice(&bytes);
            read.map(Some).with_context(|| {
                format!("{} cannot be read; remove it to get new credentials", path.display())
            })
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

async fn first_account(installation: &Installation) -> Result<Option<FirstAccount>> {
    Ok(rows::get(&*installation.engine.records(), &keys::first_account()).await?)
}

/// Draws every id and secret. On a used folder only the password and the key are new.
async fn draw(installation: &Installation) -> Result<Pending> {
    let commands = &installation.commands;
    let CreatedAccount { account, owner } = match first_account(installation).await? {
        Some(FirstAccount { account, owner }) => CreatedAccount { account, owner },
        None => commands.draw_account(),
    };
    let DrawnApiKey(Secret(api_key)) = commands.draw_api_key(commands.network);
    let credentials = Credentials {
        base_url: String::new(),
        admin_email: ADMIN_EMAIL.to_owned(),
        admin_password: commands.draw_password().0,
        account_id: account.to_string(),
        api_key,
    };
    Ok(Pending { credentials, owner })
}

/// Makes what is not there yet. Every step may have happened before.
async fn commit(installation: &Installation, wanted: &Pending) -> Result<()> {
    let (commands, cause) = (&installation.commands, Cause::system());
    let Pending { credentials, owner } = wanted;
    let account: AccountId =
        credentials.account_id.parse().context("the account id in the pending credentials")?;
    let password = Secret(credentials.admin_password.clone());
    let new = NewAccount {
        ids: CreatedAccount { account, owner: *owner },
        name: "Waxwing".to_owned(),
        email: credentials.admin_email.clone(),
        password: password.clone(),
    };
    match first_account(installation).await? {
        Some(_) => commands.change_password(*owner, &password, &cause).await?,
        None => match commands.create_account(new, &cause).await {
            Ok(_) | Err(CreateAccountError::Account(AccountError::AlreadyExists)) => {},
            Err(CreateAccountError::EmailTaken | CreateAccountError::User(UserError::AlreadyExists)) => {
                commands.finish_account(CreatedAccount { account, owner: *owner }, "Waxwing", &cause).await?;
            },
            Err(error) => return Err(error.into()),
        },
    }
    let row = rows::row(keys::first_account(), 1, &FirstAccount { account, owner: *owner })?;
    installation.engine.records().write_each(vec![Write::Put(row, Guard::Always)]).await?;
    if commands.authenticate(&credentials.api_key).await.is_ok() {
        return Ok(());
    }
    let drawn = DrawnApiKey(Secret(credentials.api_key.clone()));
    match commands.create_first_key(account, drawn, &cause).await {
        Ok(_) => Ok(()),
        Err(ApiKeyCommandError::Port(error)) => Err(error.into()),
        Err(error) => bail!("the API key could not be made: {error}"),
    }
}
