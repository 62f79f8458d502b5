/// Names of what the engine works on. The template sets them in the environment of every function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// `WAXWING_JOURNAL_TABLE`: the table of commits.
    pub journal_table: String,
    /// `WAXWING_CLAIMS_TABLE`: the table of claims.
    pub claims_table: String,
    /// `WAXWING_RECORDS_TABLE`: the table of read models and state.
    pub records_table: String,
    /// `WAXWING_KMS_KEY_ID`: id, ARN or alias of the symmetric KMS key that wraps data keys.
    pub kms_key_id: String,
    /// `WAXWING_HASH_KEY_SECRET_ID`: name or ARN of the secret from which the key of keyed hashes follows: 32
    /// random characters or more.
    pub hash_key_secret_id: String,
}

/// A setting that nothing can stand in for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set in the environment")]
pub struct MissingSetting(pub &'static str);

impl AwsSettings {
    /// Reads the settings with `variable`, which finds a variable of the environment.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingSetting> {
        let required = |name| variable(name).ok_or(MissingSetting(name));
        Ok(Self {
            journal_table: required("WAXWING_JOURNAL_TABLE")?,
            claims_table: required("WAXWING_CLAIMS_TABLE")?,
            records_table: required("WAXWING_RECORDS_TABLE")?,
            kms_key_id: required("WAXWING_KMS_KEY_ID")?,
            hash_key_secret_id: required("WAXWING_HASH_KEY_SECRET_ID")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_setting_is_named() {
        let all = AwsSettings::read(|name| Some(name.to_lowercase())).unwrap();
        assert_eq!(all.claims_table, "waxwing_claims_table");
        let missing = AwsSettings::read(|name| (name != "WAXWING_KMS_KEY_ID").then(String::new));
        assert_eq!(missing.unwrap_err().to_string(), "WAXWING_KMS_KEY_ID is not set in the environment");
    }
}
