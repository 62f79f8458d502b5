//! Guessing passwords, codes and tokens is slow, whoever guesses from wherever, and nobody is locked out.
//!
//! Each try takes a token of a bucket before anything is looked at, so that a thousand tries at once are no more than one
//! after the other, and gets it back unless the guess was wrong. A user has a bucket with each address, and one with all
//! addresses together that are new to the user: there the tries of strangers meet, and the owner's do not, who signed in
//! before or proved the mailbox.

use std::net::IpAddr;

use waxwing_app::commands::{
    AuthenticateError, EndAccountError, InvitationError, MailTokenError, ProfileError, SignInError,
};

use crate::{
    Api, Problem, client_address,
    rate_limit::{self, GUESSES_HERE, GUESSES_OF_USER, GUESSES_OF_USER_HERE, Holder},
};

/// Says of an error whether it was the answer to a wrong guess.
pub(crate) trait Guessed: Into<Problem> {
    /// True when a secret was wrong, whatever else was.
    fn is_wrong(&self) -> bool;
}

impl Guessed for SignInError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::InvalidCredentials | Self::InvalidTotp)
    }
}

impl Guessed for ProfileError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::WrongPassword | Self::WrongCode)
    }
}

impl Guessed for EndAccountError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::Profile(error) if error.is_wrong())
    }
}

impl Guessed for InvitationError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::InvalidToken)
    }
}

impl Guessed for MailTokenError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::InvalidToken)
    }
}

impl Guessed for AuthenticateError {
    fn is_wrong(&self) -> bool {
        matches!(self, Self::Invalid)
    }
}

/// Who tries.
pub(crate) struct Try<'a> {
    /// The e-mail address of the user whose secret it would be, whether there is one or not. Tokens name nobody.
    pub(crate) email: Option<&'a str>,
    /// From where.
    pub(crate) address: Option<IpAddr>,
}

impl Try<'_> {
    /// Looks at the secret by `check`, unless too many guesses were wrong.
    ///
    /// # Errors
    /// 429 then; else what `check` says.
    pub(crate) async fn run<T, E: Guessed>(
        &self,
        api: &Api,
        check: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        let taken = self.take(api).await?;
        let checked = check.await;
        if !checked.as_ref().is_err_and(Guessed::is_wrong) {
            give_back(api, &taken);
        }
        checked.map_err(Into::into)
    }

    /// The user is no stranger here from now on.
    pub(crate) async fn remember(&self, api: &Api) -> Result<(), Problem> {
        match self.email {
            Some(email) => Ok(api.commands.remember_address(email, &self.client(api)).await?),
            None => Ok(()),
        }
    }

    fn client(&self, api: &Api) -> String {
        client_address::hashed(api, self.address)
    }

    async fn take(&self, api: &Api) -> Result<Vec<Holder>, Problem> {
        let mut taken = Vec::with_capacity(3);
        for holder in self.holders(api).await? {
            if let Err(refused) =
                rate_limit::take(api, &holder, "Too many passwords, codes or tokens were wrong").await
            {
                give_back(api, &taken);
                return Err(refused);
            }
            taken.push(holder);
        }
        Ok(taken)
    }

    async fn holders(&self, api: &Api) -> Result<Vec<Holder>, Problem> {
        let client = self.client(api);
        let here = Holder::stranger(&GUESSES_HERE, client.clone());
        let Some(email) = self.email else { return Ok(vec![here]) };
        let user = api.commands.hashed_email(email);
        let both = Holder::stranger(&GUESSES_OF_USER_HERE, format!("{user}.{client}"));
        Ok(match api.commands.knows_address(email, &client).await? {
            true => vec![both],
            false => vec![here, both, Holder::stranger(&GUESSES_OF_USER, user)],
        })
    }
}

fn give_back(api: &Api, taken: &[Holder]) {
    let now = api.commands.ports.clock.now();
    for holder in taken {
        api.rate_limits.give_back(holder, now);
    }
}
