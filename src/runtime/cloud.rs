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
/// What a custom cloud lacks, or what is no address.
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
            let arm_endpoint = address("arm-endpoint", arm_endpoint)?;
            Cloud {
                arm_audience: arm_audience.unwrap_or(&arm_endpoint).trim_end_matches('/').to_owned(),
                authority_host: address("authority-host", authority_host)?,
                arm_endpoint,
                studio: "https://ai.azure.com",
            }
        }
    })
}

/// Whether it is https is asked where a call is made: until then the operator can tell what is wrong on every object.
fn address(flag: &str, address: Option<&str>) -> Result<String, Failure> {
    let address = address.ok_or_else(|| format!("--azure-cloud custom needs --{flag}"))?;
    let url = reqwest::Url::parse(address).map_err(|error| format!("--{flag} {address}: {error}"))?;
    if !url.has_host() {
        return Err(format!("--{flag} {address}: must be an address such as https://host").into());
    }
    Ok(address.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_own_endpoint_audience_and_authority() {
        // ARM reference, section 11.
        for (cloud, arm, authority) in [
            (AzureCloud::Public, "https://management.azure.com", "https://login.microsoftonline.com"),
            (AzureCloud::Government, "https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
            (AzureCloud::China, "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
        ] {
            let cloud = resolve(cloud, None, None, None).unwrap();
            let is = (cloud.arm_endpoint.as_str(), cloud.arm_audience.as_str(), cloud.authority_host.as_str());
            assert_eq!(is, (arm, arm, authority));
        }
    }

    #[test]
    fn a_custom_cloud_says_what_it_lacks() {
        let error = resolve(AzureCloud::Custom, None, None, None).unwrap_err().to_string();
        assert!(error.contains("--arm-endpoint"), "{error}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in ["arm.local", "data:x"] {
            let error = resolve(AzureCloud::Custom, Some(address), None, Some("https://login.local")).unwrap_err();
            assert!(error.to_string().contains("--arm-endpoint"), "{error}");
        }
    }

    #[test]
    fn the_audience_of_a_custom_cloud_is_its_endpoint_unless_said_otherwise() {
        let custom =
            |audience| resolve(AzureCloud::Custom, Some("https://arm.local/"), audience, Some("https://login.local"));
        assert_eq!(custom(None).unwrap().arm_audience, "https://arm.local");
        assert_eq!(custom(Some("https://arm.core")).unwrap().arm_audience, "https://arm.core");
    }
}
