//! Rotate and revoke API keys.

use jiff::SignedDuration;
use waxwing_domain::{
    AccountId, ApiKeyId,
    api_key::{ApiKey, ApiKeyCommand, ApiKeyError, RotateApiKey},
};

use super::{
    Commands,
    create_api_key::{ApiKeyCommandError, CreatedApiKey, drawn_twice, lookup_claim, parts},
};
use crate::{
    execute::{Cause, ExecuteError, Execution},
    ports::Claim,
    projections::api_key_write,
    views::ApiKeyView,
};

/// Longest time for which the secret from before works beside the new one: a week, in seconds.
pub const KEY_OVERLAP_S_MAX: u32 = 604_800;

impl Commands {
    /// Gives the key another secret. The one from before works for `overlap` more.
    pub async fn rotate_api_key(
        &self,
        account: AccountId,
        id: ApiKeyId,
        overlap: SignedDuration,
        cause: &Cause,
    ) -> Result<CreatedApiKey, ApiKeyCommandError> {
        let (before, _) = self.ports.load::<ApiKey>(account, &id.to_string()).await?;
        let network = before.active().ok_or(ApiKeyError::NotFound)?.network;
        let (drawn, at) = (self.draw_api_key(network), self.ports.clock.now());
        let (lookup_id, secret_hash) = parts(&drawn, network)?;
        let claims = vec![lookup_claim(self, account, id, &lookup_id)];
        let rotate = RotateApiKey { lookup_id, secret_hash, previous_until: at + overlap, at };
        let view = self.change_api_key(account, id, ApiKeyCommand::Rotate(rotate), claims, cause).await?;
        Ok(CreatedApiKey { view: view.ok_or(ApiKeyError::NotFound)?, key: drawn.0 })
    }

    /// The key is dead when this returns.
    pub async fn revoke_api_key(
        &self,
        account: AccountId,
        id: ApiKeyId,
        cause: &Cause,
    ) -> Result<(), ApiKeyCommandError> {
        let (before, _) = self.ports.load::<ApiKey>(account, &id.to_string()).await?;
        before.active().ok_or(ApiKeyError::NotFound)?;
        let command = ApiKeyCommand::Revoke { at: self.ports.clock.now() };
        self.change_api_key(account, id, command, Vec::new(), cause).await.map(drop)
    }

    async fn change_api_key(
        &self,
        account: AccountId,
        id: ApiKeyId,
        command: ApiKeyCommand,
        claims: Vec<Claim>,
        cause: &Cause,
    ) -> Result<Option<ApiKeyView>, ApiKeyCommandError> {
        let text = id.to_string();
        let execution = Execution::<ApiKey> { account, id: &text, command, fresh: false, claims, cause };
        self.ports.execute(execution).await.map_err(|error| match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::ClaimTaken(..) => drawn_twice(),
            ExecuteError::Port(error) => ApiKeyCommandError::from(error),
        })?;
        // Who changed it finds that in the list at once.
        let (key, version) = self.ports.load::<ApiKey>(account, &text).await?;
        self.records.write_each(vec![api_key_write(account, id, &key, version)?]).await?;
        Ok(key.active().map(|created| ApiKeyView::new(id, created, key.rotated_at())))
    }
}
