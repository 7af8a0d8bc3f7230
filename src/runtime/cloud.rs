//! The addresses of Azure's clouds (ARM reference, section 11).

use clap::ValueEnum;

use super::Failure;
use crate::arm::credential::Cloud;

/// One of Azure's clouds, or one's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AzureCloud {
    /// Azure.
    Public,
    /// Azure Government.
    Government,
    /// Azure in China.
    China,
    /// Azure Stack, a gateway, the emulator.
    Custom,
}

/// The addresses of a cloud.
///
/// # Errors
/// What a custom cloud lacks, or where an address is not https: a token would travel in the open.
pub fn resolve(
    cloud: AzureCloud,
    arm_endpoint: Option<&str>,
    arm_audience: Option<&str>,
    authority_host: Option<&str>,
) -> Result<Cloud, Failure> {
    let known = |arm: &str, authority: &str, studio| Cloud {
        arm_endpoint: arm.to_owned(),
        arm_audience: arm.to_owned(),
        authority_host: authority.to_owned(),
        studio,
    };
    Ok(match cloud {
        AzureCloud::Public => {
            known("https://management.azure.com", "https://login.microsoftonline.com", "https://ai.azure.com")
        }
        AzureCloud::Government => {
            known("https://management.usgovcloudapi.net", "https://login.microsoftonline.us", "https://ai.azure.us")
        }
        AzureCloud::China => {
            known("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn", "https://ai.azure.cn")
        }
        AzureCloud::Custom => {
            let arm_endpoint = https("arm-endpoint", arm_endpoint)?;
            Cloud {
                arm_audience: arm_audience.unwrap_or(&arm_endpoint).trim_end_matches('/').to_owned(),
                authority_host: https("authority-host", authority_host)?,
                arm_endpoint,
                studio: "https://ai.azure.com",
            }
        }
    })
}

fn https(flag: &str, address: Option<&str>) -> Result<String, Failure> {
    let address = address.ok_or_else(|| format!("--azure-cloud custom needs --{flag}"))?;
    let url = reqwest::Url::parse(address).map_err(|error| format!("--{flag} {address}: {error}"))?;
    if url.scheme() != "https" || !url.has_host() {
        return Err(format!("--{flag} {address}: must be an https address, because tokens go there").into());
    }
    Ok(address.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clouds_have_their_own_authorities() {
        let cloud = resolve(AzureCloud::China, None, None, None).unwrap();
        assert_eq!(cloud.arm_audience, "https://management.chinacloudapi.cn");
        assert_eq!(cloud.authority_host, "https://login.chinacloudapi.cn");
    }

    #[test]
    fn a_custom_cloud_says_what_it_lacks() {
        let error = resolve(AzureCloud::Custom, None, None, None).unwrap_err().to_string();
        assert!(error.contains("--arm-endpoint"), "{error}");
    }

    #[test]
    fn plain_http_is_refused() {
        let error =
            resolve(AzureCloud::Custom, Some("http://arm.local"), None, Some("https://login.local")).unwrap_err();
        assert!(error.to_string().contains("https"), "{error}");
    }

    #[test]
    fn the_audience_of_a_custom_cloud_is_its_endpoint_unless_said_otherwise() {
        let custom =
            |audience| resolve(AzureCloud::Custom, Some("https://arm.local/"), audience, Some("https://login.local"));
        assert_eq!(custom(None).unwrap().arm_audience, "https://arm.local");
        assert_eq!(custom(Some("https://arm.core")).unwrap().arm_audience, "https://arm.core");
    }
}
