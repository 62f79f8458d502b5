//! A deployment as its functions, hosts and operators see it: the engine with the use cases on it.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client as Secrets;
use waxwing_app::{
    commands::{AccountLimits, Commands},
    execute::CommandPorts,
    feed::Consumer,
    id_source::IdSource,
    kept_mail::KeptMail,
    ports::{Clock, Entropy, Gateway, Mailer, Pairing, PortError, Records, Search, Work},
    processes::{Delivery, Erasing, MailDispatch, MailFanOut, WebhookFanOut},
    projections::{
        ApiKeyProjection, AuditProjection, DirectoryProjection, MessageProjection, SearchProjection,
        SessionProjection,
    },
    search::WordIndex,
    sent_mail::SentOnce,
};
use waxwing_domain::Network;
use waxwing_signed_http::{Client, SigningKey};

use crate::{
    AwsEngine, AwsSettings, AwsWork, MissingSetting, QueueUrls, config_loader, gateway::HttpGateway,
    mailer::SesMailer, secret_key,
};

/// Makes a client that signs with a key, for an address.
pub type ClientMaker = Arc<dyn Fn(&str, SigningKey) -> Client + Send + Sync>;

/// A deployment could not be connected to.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The environment does not say something.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// The environment says something that cannot be.
    #[error("WAXWING_NETWORK is {0:?}; it is sandbox or whatsapp")]
    Network(String),
    /// The environment says something that cannot be.
    #[error("WAXWING_WORD_INDEX is {0:?}; it is on or off")]
    WordIndex(String),
    /// The environment says something that is no number.
    #[error("{0} is not a number")]
    NoNumber(&'static str),
    /// AWS cannot be reached or used.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A number of the environment; as much as there can be where it says none.
fn number(variable: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<usize, DeploymentError> {
    variable(name).map_or(Ok(usize::MAX), |text| text.parse().map_err(|_| DeploymentError::NoNumber(name)))
}

/// See the module.
pub struct Deployment {
    /// Journal, records, secrets.
    pub engine: AwsEngine,
    /// Messages by their words, where `WAXWING_WORD_INDEX` is `on`: it takes a write unit for each word of a message.
    pub search: Option<Arc<dyn Search>>,
    /// Jobs.
    pub work: Arc<AwsWork>,
    /// Use cases.
    pub commands: Commands,
    /// Mails, kept for the operator where there is no sender's address.
    pub mail: Arc<KeptMail>,
    /// Who sends them.
    mailer: Arc<dyn Mailer>,
    /// Hints to session hosts.
    pub gateway: Arc<dyn Gateway>,
    /// Asks them for codes.
    pub pairing: Arc<dyn Pairing>,
    /// With which our own processes sign what they ask of each other.
    pub internal_key: SigningKey,
    /// Calls the sandbox, where the deployment has one.
    pub sandbox: Option<Client>,
}

impl Deployment {
    /// Connects with what `variable` finds in the environment.
    pub async fn connect(
        variable: impl Fn(&str) -> Option<String>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        maker: &ClientMaker,
    ) -> Result<Self, DeploymentError> {
        let network = match variable("WAXWING_NETWORK").ok_or(MissingSetting("WAXWING_NETWORK"))? {
            name if name == Network::Sandbox.as_str() => Network::Sandbox,
            name if name == Network::Whatsapp.as_str() => Network::Whatsapp,
            name => return Err(DeploymentError::Network(name)),
        };
        let has_word_index = match variable("WAXWING_WORD_INDEX").as_deref() {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => return Err(DeploymentError::WordIndex(other.to_owned())),
        };
        let internal_key_id = variable("WAXWING_INTERNAL_KEY_SECRET_ID")
            .ok_or(MissingSetting("WAXWING_INTERNAL_KEY_SECRET_ID"))?;
        let (settings, queues) = (AwsSettings::read(&variable)?, QueueUrls::read(&variable)?);
        let config = config_loader().load().await;
        let secrets = Secrets::new(&config);
        let (engine, internal_key) = futures::try_join!(
            AwsEngine::connect_with(&config, settings, clock.clone(), entropy.clone()),
            secret_key::text(&secrets, &internal_key_id),
        )?;
        let internal_key = SigningKey::from_secret(&internal_key)
            .map_err(|error| PortError::Corrupt(format!("secret {internal_key_id}: {error}")))?;
        let records = engine.records();
        let work = Arc::new(AwsWork::new(&config, queues, records.clone(), clock.clone(), entropy.clone()));
        let commands = Commands {
            ports: CommandPorts::new(engine.journal(), engine.secrets(), clock.clone()),
            records: records.clone(),
            ids: Arc::new(IdSource::new(clock, entropy.clone())),
            entropy,
            network,
            limits: AccountLimits::new(
                number(&variable, "WAXWING_SESSIONS_MAX")?,
                number(&variable, "WAXWING_WEBHOOKS_MAX")?,
            ),
        };
        let mail = Arc::new(KeptMail { ports: commands.ports.clone(), records: records.clone() });
        // CloudFormation sets what is not given to nothing.
        let mailer: Arc<dyn Mailer> = match variable("WAXWING_MAIL_FROM").filter(|from| !from.is_empty()) {
            Some(from) => Arc::new(SentOnce {
                mailer: Arc::new(SesMailer::new(&config, from)),
                records: records.clone(),
                clock: commands.ports.clock.clone(),
            }),
            None => mail.clone(),
        };
        let search = WordIndex { records: records.clone() };
        let search = has_word_index.then(|| Arc::new(search) as Arc<dyn Search>);
        let (made, key) = (maker.clone(), internal_key.clone());
        let gateway = HttpGateway::new(records, Arc::new(move |address| made(address, key.clone())));
        let gateway = Arc::new(gateway);
        let sandbox = variable("WAXWING_SANDBOX_URL").map(|url| maker(&url, internal_key.clone()));
        let pairing = gateway.clone();
        Ok(Self { engine, search, work, commands, mail, mailer, gateway, pairing, internal_key, sandbox })
    }

    /// Read models and state.
    pub fn records(&self) -> Arc<dyn Records> {
        self.engine.records()
    }

    /// Jobs.
    pub fn work(&self) -> Arc<dyn Work> {
        self.work.clone()
    }

    /// What follows from commits for those who read.
    pub fn projections(&self) -> Vec<Arc<dyn Consumer>> {
        let (ports, records) = (self.commands.ports.clone(), self.records());
        let mut projections: Vec<Arc<dyn Consumer>> = vec![
            Arc::new(ApiKeyProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(AuditProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(DirectoryProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(self.erasing()),
            Arc::new(MailFanOut { work: self.work() }),
            Arc::new(MessageProjection { ports: ports.clone(), records: records.clone() }),
            Arc::new(SessionProjection {
                ports: ports.clone(),
                records: records.clone(),
                gateway: self.gateway.clone(),
            }),
            Arc::new(WebhookFanOut { ports: ports.clone(), records, work: self.work() }),
        ];
        if let Some(search) = self.search.clone() {
            projections.push(Arc::new(SearchProjection { ports, search }));
        }
        projections
    }

    /// Who sends mails.
    pub fn mails(&self) -> MailDispatch {
        let (ports, mailer) = (self.commands.ports.clone(), self.mailer.clone());
        MailDispatch { ports, work: self.work(), mailer }
    }

    /// What is deleted for good.
    pub fn erasing(&self) -> Erasing {
        let Self { engine, commands, .. } = self;
        Erasing { commands: commands.clone(), keys: engine.keys(), erasure: engine.erasure() }
    }

    /// What follows from commits for those who send.
    pub fn delivery(&self) -> Arc<dyn Consumer> {
        let (ports, records) = (self.commands.ports.clone(), self.records());
        Arc::new(Delivery { ports, records, gateway: self.gateway.clone() })
    }
}
