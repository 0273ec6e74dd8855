//! The quirks of real records, numbered as in the notes on the format. Records are
//! minimal and made up.

use retrial_cloudtrail::{
    JsonKind, LogKey, Parameters, Record, RecordError, RecordParser, UserIdentity,
};

use crate::support::read;

/// Parses `text` and reads the record.
#[track_caller]
fn with<T>(text: &str, read: impl FnOnce(&Record<'_>) -> T) -> T {
    RecordParser::new().parse(text.as_bytes(), read).unwrap()
}

#[track_caller]
fn with_identity<T>(identity: &str, read: impl FnOnce(&UserIdentity<'_>) -> T) -> T {
    with(&format!(r#"{{"userIdentity":{identity}}}"#), |record| {
        read(&record.user_identity.unwrap())
    })
}

#[track_caller]
fn error(text: impl AsRef<[u8]>) -> String {
    let error = RecordParser::new()
        .parse(text.as_ref(), |_| ())
        .unwrap_err();
    format!("{}: {error}", error.code())
}

#[test]
fn every_field() {
    let text = r#"{"eventVersion":"1.11","eventTime":"2026-11-02T09:30:00Z","eventSource":"s3.amazonaws.com",
        "eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.1","userAgent":"[aws-cli]",
        "errorCode":"AccessDenied","errorMessage":"Access Denied","requestID":"r","eventID":"e",
        "eventType":"AwsApiCall","eventCategory":"Data","recipientAccountId":"111122223333","sharedEventID":"s",
        "vpcEndpointId":"vpce-1","vpcEndpointAccountId":"444455556666","readOnly":true,"managementEvent":false,
        "sessionCredentialFromConsole":"true","unknown":{"of":["any","kind"]}}"#;
    with(text, |record| {
        assert_eq!(record.event_version, Some("1.11"));
        assert_eq!(record.event_time_text, Some("2026-11-02T09:30:00Z"));
        assert_eq!(record.event_time.unwrap().micros(), 1_793_611_800_000_000);
        assert_eq!(record.event_source, Some("s3.amazonaws.com"));
        assert_eq!(record.event_name, Some("GetObject"));
        assert_eq!(record.aws_region, Some("eu-west-1"));
        assert_eq!(record.source_ip_address, Some("192.0.2.1"));
        assert_eq!(record.user_agent, Some("[aws-cli]"));
        assert_eq!(record.error_code, Some("AccessDenied"));
        assert_eq!(record.error_message, Some("Access Denied"));
        assert_eq!(record.request_id, Some("r"));
        assert_eq!(record.event_id, Some("e"));
        assert_eq!(record.event_type, Some("AwsApiCall"));
        assert_eq!(record.event_category, Some("Data"));
        assert_eq!(record.recipient_account_id, Some("111122223333"));
        assert_eq!(record.shared_event_id, Some("s"));
        assert_eq!(record.vpc_endpoint_id, Some("vpce-1"));
        assert_eq!(record.vpc_endpoint_account_id, Some("444455556666"));
        assert_eq!(record.read_only, Some(true));
        assert_eq!(record.management_event, Some(false));
        assert_eq!(record.session_credential_from_console, Some(true));
        assert!(record.json.at(&["unknown", "of"]).unwrap().items().count() == 2);
    });
}

#[test]
fn quirk_1_duplicates_come_out_as_they_are() {
    let record = r#"{"eventName":"A","eventID":"EXAMPLE"}"#;
    let outcome = read(format!("{{\"Records\":[{record},{record}]}}").as_bytes());
    assert_eq!(outcome.texts(), [record, record]);
}

#[test]
fn quirk_2_the_records_region_is_its_own() {
    let key = "111122223333_CloudTrail_us-west-1_20261102T0935Z_AbCdEfGhIjKlMnOp.json.gz";
    assert_eq!(LogKey::parse(key).region, Some("us-west-1"));
    with(r#"{"awsRegion":"us-east-1"}"#, |record| {
        assert_eq!(record.aws_region, Some("us-east-1"))
    });
}

#[test]
fn quirk_3_shared_event_id() {
    with(r#"{"eventID":"e","sharedEventID":"s"}"#, |record| {
        assert_eq!(
            (record.event_id, record.shared_event_id),
            (Some("e"), Some("s"))
        );
    });
}

#[test]
fn quirk_4_no_identity() {
    for text in ["{}", r#"{"userIdentity":null}"#, r#"{"userIdentity":"x"}"#] {
        with(text, |record| assert!(record.user_identity.is_none()));
    }
    with_identity(
        r#"{"accountId":"111122223333","invokedBy":"AWS Internal"}"#,
        |identity| {
            assert_eq!(
                (identity.kind, identity.invoked_by),
                (None, Some("AWS Internal"))
            );
        },
    );
}

#[test]
fn quirk_5_service_identity() {
    with_identity(
        r#"{"type":"AWSService","invokedBy":"cloudtrail.amazonaws.com"}"#,
        |identity| {
            assert_eq!(identity.kind, Some("AWSService"));
            assert_eq!((identity.arn, identity.account_id), (None, None));
        },
    );
}

#[test]
fn quirk_6_root_and_unknown() {
    let root = r#"{"type":"Root","arn":"arn:aws:iam::111122223333:root","userName":"alias"}"#;
    with_identity(root, |identity| {
        assert_eq!(identity.user_name, Some("alias"))
    });
    with_identity(r#"{"type":"Unknown"}"#, |identity| {
        assert!(identity.arn.is_none())
    });
}

#[test]
fn quirk_7_the_roles_path_is_the_issuers() {
    let session = r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:me",
        "arn":"arn:aws:sts::111122223333:assumed-role/Example/me","sessionContext":{"sessionIssuer":{
        "type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/a/path/Example",
        "accountId":"111122223333","userName":"Example"}}}"#;
    with_identity(session, |identity| {
        let issuer = identity.session_issuer.unwrap();
        assert_eq!(
            issuer.arn,
            Some("arn:aws:iam::111122223333:role/a/path/Example")
        );
        assert_eq!(
            (issuer.kind, issuer.user_name),
            (Some("Role"), Some("Example"))
        );
        assert_eq!(
            (issuer.principal_id, issuer.account_id),
            (Some("AROAEXAMPLE"), Some("111122223333"))
        );
        assert_eq!(identity.principal_id, Some("AROAEXAMPLE:me"));
    });
}

#[test]
fn quirk_8_empty_objects_and_booleans_as_strings() {
    let identity = r#"{"type":"IAMUser","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},
        "attributes":{"mfaAuthenticated":"true","creationDate":"2026-11-02T09:00:00Z"},
        "sourceIdentity":"alice","ec2RoleDelivery":"2.0","assumedRoot":"true"},
        "inScopeOf":{},"onBehalfOf":{},"credentialId":"c","invokedByDelegate":{},"identityProvider":"p"}"#;
    with_identity(identity, |identity| {
        assert!(identity.session_issuer.is_none());
        assert_eq!(identity.federated_provider, None);
        assert_eq!(identity.mfa_authenticated, Some(true));
        assert_eq!(
            identity.session_created.unwrap().to_iso(),
            "2026-11-02T09:00:00Z"
        );
        assert_eq!(identity.source_identity, Some("alice"));
        assert_eq!(identity.ec2_role_delivery, Some("2.0"));
        assert_eq!(identity.assumed_root, Some(true));
        assert_eq!(identity.identity_provider, Some("p"));
    });
    let web = r#"{"sessionContext":{"webIdFederationData":{"federatedProvider":"arn:aws:iam::111122223333:oidc-provider/p"}}}"#;
    with_identity(web, |identity| {
        assert_eq!(
            identity.federated_provider,
            Some("arn:aws:iam::111122223333:oidc-provider/p")
        );
    });
}

#[test]
fn quirk_9_federated_user() {
    let identity = r#"{"type":"FederatedUser","principalId":"111122223333:guest",
        "arn":"arn:aws:sts::111122223333:federated-user/guest",
        "sessionContext":{"sessionIssuer":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/broker"}}}"#;
    with_identity(identity, |identity| {
        assert_eq!(
            identity.session_issuer.unwrap().arn,
            Some("arn:aws:iam::111122223333:user/broker")
        );
    });
}

#[test]
fn quirk_10_session_policy_and_issued_key() {
    let text = r#"{"eventName":"AssumeRole","requestParameters":{"policy":"{\"Version\":\"2008-10-17\"}"},
        "responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE"}}}"#;
    with(text, |record| {
        let policy = record.request_parameters.get("policy").unwrap();
        assert_eq!(policy.as_str(), Some(r#"{"Version":"2008-10-17"}"#));
        let key = record
            .response_elements
            .unwrap()
            .at(&["credentials", "accessKeyId"])
            .unwrap();
        assert_eq!(key.as_str(), Some("ASIAEXAMPLE"));
    });
}

#[test]
fn quirk_11_parameters_elements_and_resources_of_any_type() {
    with("{}", |record| {
        assert!(matches!(record.request_parameters, Parameters::Missing))
    });
    with(
        r#"{"requestParameters":null,"responseElements":null,"resources":null}"#,
        |record| {
            assert!(matches!(record.request_parameters, Parameters::Null));
            assert!(record.response_elements.is_none() && record.resources_json.is_none());
        },
    );
    with(
        r#"{"requestParameters":{"a":"b"},"responseElements":"","resources":""}"#,
        |record| {
            assert_eq!(
                record.request_parameters.get("a").unwrap().as_str(),
                Some("b")
            );
            assert_eq!(record.response_elements.unwrap().as_str(), Some(""));
            assert_eq!(record.resources().count(), 0);
            assert_eq!(record.resources_json.unwrap().kind(), JsonKind::String);
        },
    );
}

#[test]
fn quirk_12_resources() {
    let text = r#"{"resources":[
        {"ARN":"arn:aws:s3:::b/k","accountId":"111122223333","type":"AWS::S3::Object"},
        {"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::b/"},
        {"arn":"arn:aws:s3:::b"},7]}"#;
    with(text, |record| {
        let resources: Vec<_> = record.resources().collect();
        assert_eq!(resources[0].arn, Some("arn:aws:s3:::b/k"));
        assert_eq!(
            (resources[0].account_id, resources[0].kind),
            (Some("111122223333"), Some("AWS::S3::Object"))
        );
        assert_eq!(
            (resources[1].arn, resources[1].arn_prefix),
            (None, Some("arn:aws:s3:::b/"))
        );
        assert_eq!(resources[2].arn, Some("arn:aws:s3:::b"));
        assert_eq!((resources.len(), resources[3].arn), (4, None));
    });
}

#[test]
fn quirk_13_no_resources_but_names_and_arns_in_the_request() {
    let text = r#"{"requestParameters":{"mLModelId":"ml-1","executionRoleArn":"arn:aws:iam::111122223333:role/R"}}"#;
    with(text, |record| {
        assert_eq!(record.resources().count(), 0);
        assert_eq!(
            record.request_parameters.get("mLModelId").unwrap().as_str(),
            Some("ml-1")
        );
        assert!(record.request_parameters.get("mlModelId").is_none());
    });
}

#[test]
fn quirk_14_documents_as_strings_objects_and_url_encoded() {
    let text = r#"{"requestParameters":{"policyDocument":"{\n  \"Statement\": []\n}","bucketPolicy":{}},
        "responseElements":{"role":{"assumeRolePolicyDocument":"%7B%22Version%22%7D"}}}"#;
    with(text, |record| {
        let policy = record.request_parameters.get("policyDocument").unwrap();
        assert_eq!(policy.as_str(), Some("{\n  \"Statement\": []\n}"));
        assert_eq!(
            record
                .request_parameters
                .get("bucketPolicy")
                .unwrap()
                .kind(),
            JsonKind::Object
        );
        let trust = record
            .response_elements
            .unwrap()
            .at(&["role", "assumeRolePolicyDocument"])
            .unwrap();
        assert_eq!(trust.as_str(), Some("%7B%22Version%22%7D"));
    });
}

#[test]
fn quirks_15_and_16_event_names_are_taken_as_they_are() {
    for name in [
        "ListFunctions20150331",
        "CreateFunction2020_05_31",
        "updateDomainContact",
        "https://example.com/a",
    ] {
        with(&format!(r#"{{"eventName":"{name}"}}"#), |record| {
            assert_eq!(record.event_name, Some(name))
        });
    }
}

#[test]
fn quirk_17_errors_in_all_combinations() {
    with(
        r#"{"errorCode":"AccessDenied","errorMessage":null}"#,
        |record| {
            assert_eq!(
                (record.error_code, record.error_message),
                (Some("AccessDenied"), None)
            );
        },
    );
    with(
        r#"{"errorCode":"Client.UnauthorizedOperation"}"#,
        |record| {
            assert_eq!(
                (record.error_code, record.error_message),
                (Some("Client.UnauthorizedOperation"), None)
            );
        },
    );
}

#[test]
fn quirk_18_redaction() {
    let text = r#"{"requestParameters":{"parameters":"HIDDEN_DUE_TO_SECURITY_REASONS"}}"#;
    with(text, |record| {
        let parameters = record.request_parameters.get("parameters").unwrap();
        assert!(parameters.get("commands").is_none() && parameters.items().next().is_none());
        assert!(parameters.members().next().is_none());
    });
    with(
        r#"{"requestParameters":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        |record| {
            assert!(matches!(record.request_parameters, Parameters::Redacted));
            assert!(record.request_parameters.get("a").is_none());
        },
    );
}

#[test]
fn quirk_19_omitted_for_their_size() {
    let text = r#"{"requestParameters":{"omitted":true,"originalSize":102401,"reason":"large"}}"#;
    with(text, |record| {
        assert!(matches!(record.request_parameters, Parameters::Omitted))
    });
    with(r#"{"requestParameters":{"omitted":true}}"#, |record| {
        assert!(matches!(record.request_parameters, Parameters::Omitted));
    });
    with(r#"{"requestParameters":{"omitted":false}}"#, |record| {
        assert!(matches!(record.request_parameters, Parameters::Object(_)));
    });
    with(
        r#"{"requestParameters":{"bucketName":"b","omitted":true}}"#,
        |record| {
            assert!(matches!(record.request_parameters, Parameters::Object(_)));
        },
    );
}

#[test]
fn quirk_20_booleans() {
    let text =
        r#"{"readOnly":"false","managementEvent":true,"sessionCredentialFromConsole":"true"}"#;
    with(text, |record| {
        assert_eq!(record.read_only, Some(false));
        assert_eq!(record.management_event, Some(true));
        assert_eq!(record.session_credential_from_console, Some(true));
    });
    with(r#"{"readOnly":"yes","managementEvent":null}"#, |record| {
        assert_eq!((record.read_only, record.management_event), (None, None));
    });
}

#[test]
fn quirk_21_rare_members() {
    let text = r#"{"apiVersion":"2","edgeDeviceDetails":{},"tlsDetails":{"clientProvidedHostHeader":"h"},
        "serviceEventDetails":{"keyId":"k"},"vpcEndpointId":"AWS Internal","additionalEventData":{"x":1},
        "addendum":{"reason":"UPDATED_DATA","originalEventID":"e"},"eventContext":{"requestContext":{}}}"#;
    with(text, |record| {
        assert_eq!(
            record
                .tls_details
                .unwrap()
                .get("clientProvidedHostHeader")
                .unwrap()
                .as_str(),
            Some("h")
        );
        assert_eq!(
            record
                .service_event_details
                .unwrap()
                .get("keyId")
                .unwrap()
                .as_str(),
            Some("k")
        );
        assert_eq!(record.vpc_endpoint_id, Some("AWS Internal"));
        assert_eq!(
            record
                .additional_event_data
                .unwrap()
                .get("x")
                .unwrap()
                .number_text()
                .unwrap(),
            "1"
        );
        assert_eq!(
            record
                .addendum
                .unwrap()
                .get("originalEventID")
                .unwrap()
                .as_str(),
            Some("e")
        );
        assert!(record.event_context.is_some());
    });
}

#[test]
fn quirk_22_addresses_and_agents() {
    for (text, address, agent) in [
        (
            r#"{"sourceIPAddress":"AWS Internal","userAgent":""}"#,
            Some("AWS Internal"),
            Some(""),
        ),
        (
            r#"{"sourceIPAddress":"cloudtrail.amazonaws.com"}"#,
            Some("cloudtrail.amazonaws.com"),
            None,
        ),
        ("{}", None, None),
    ] {
        with(text, |record| {
            assert_eq!(
                (record.source_ip_address, record.user_agent),
                (address, agent)
            )
        });
    }
}

#[test]
fn quirk_23_times_that_are_none() {
    for time in ["2018-05-25:17:06Z", "timestamp", ""] {
        with(&format!(r#"{{"eventTime":"{time}"}}"#), |record| {
            assert_eq!(
                (record.event_time_text, record.event_time),
                (Some(time), None)
            );
        });
    }
}

#[test]
fn quirk_24_old_records_lack_ids() {
    with(r#"{"eventVersion":"1.0","eventName":"A"}"#, |record| {
        assert_eq!((record.event_id, record.recipient_account_id), (None, None));
    });
}

#[test]
fn quirk_25_other_kinds_of_records() {
    with(
        r#"{"eventType":"AwsCloudTrailInsight","insightDetails":{"state":"End"}}"#,
        |record| {
            assert!(record.insight_details.is_some() && record.event_name.is_none());
        },
    );
    with(
        r#"{"eventType":"AwsVpceEvent","eventName":"A"}"#,
        |record| {
            assert!(matches!(record.request_parameters, Parameters::Missing));
        },
    );
    with(
        r#"{"eventVersion":"1.0","eventId":"e","accountId":"111122223333","summary":{}}"#,
        |record| {
            assert!(record.event_name.is_none() && record.event_id.is_none());
        },
    );
}

#[test]
fn quirk_26_masked_values() {
    let text = r#"{"awsRegion":"apiso-northsouth-3r","recipientAccountId":"XXXXXXXXXXX",
        "userIdentity":{"accessKeyId":"AKIA****************"}}"#;
    with(text, |record| {
        assert_eq!(record.recipient_account_id, Some("XXXXXXXXXXX"));
        assert_eq!(
            record.user_identity.unwrap().access_key_id,
            Some("AKIA****************")
        );
    });
}

#[test]
fn quirks_27_and_28_service_denials_and_several_events_per_request_are_records() {
    let denied = r#"{"eventName":"PutObject","errorCode":"AccessDenied","userIdentity":{"type":"AWSService","invokedBy":"delivery.logs.amazonaws.com"}}"#;
    with(denied, |record| {
        assert_eq!(record.error_code, Some("AccessDenied"))
    });
    let outcome =
        read(br#"{"Records":[{"eventName":"DeleteObjects"},{"eventName":"DeleteObject"}]}"#);
    assert_eq!(outcome.records.len(), 2);
}

#[test]
fn quirk_29_wrappers() {
    let event = r#"{"eventName":"A","userAgent":"\"q\""}"#;
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let lookup = format!(
        r#"{{"EventId":"x","EventName":"A","CloudTrailEvent":"{}"}}"#,
        escape(event)
    );
    let bridge = format!(
        r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","resources":[],"detail":{event}}}"#
    );
    let siem = format!(r#"{{"@timestamp":"t","message":"{}"}}"#, escape(event));
    let siem_of_bridge = format!(r#"{{"message":" {}"}}"#, escape(&bridge));
    let siem_of_lookup = format!(r#"{{"message":"{}"}}"#, escape(&lookup));
    let object = format!(r#"{{"CloudTrailEvent":{event}}}"#);
    let mut parser = RecordParser::new();
    for text in [lookup, bridge, siem, siem_of_bridge, siem_of_lookup, object] {
        parser
            .parse(text.as_bytes(), |record| {
                assert_eq!(
                    (record.event_name, record.user_agent),
                    (Some("A"), Some("\"q\"")),
                    "{text}"
                );
                assert!(record.resources_json.is_none());
            })
            .unwrap();
    }
}

#[test]
fn a_record_is_never_taken_for_a_wrapper() {
    let text = r#"{"eventName":"A","message":"{}","detail-type":"x","detail":{"eventName":"B"},"CloudTrailEvent":"{}","Records":[]}"#;
    with(text, |record| assert_eq!(record.event_name, Some("A")));
    with(r#"{"message":"a line"}"#, |record| {
        assert_eq!(record.event_name, None)
    });
}

#[test]
fn broken_wrappers() {
    assert_eq!(
        error(r#"{"CloudTrailEvent":"{\"eventName\":}"}"#),
        "record_in_wrapper: in `CloudTrailEvent`: invalid JSON at byte 13 of the record: a syntax error"
    );
    assert_eq!(
        error(r#"{"CloudTrailEvent":"7"}"#),
        "record_in_wrapper: in `CloudTrailEvent`: the record is not a JSON object"
    );
    assert_eq!(
        error(r#"{"message":"{\"Records\":[]}"}"#),
        "record_in_wrapper: in `message`: the record is a list of `Records` itself"
    );
    let mut text = r#"{"eventName":"A"}"#.to_owned();
    for _ in 0..4 {
        text = format!(
            r#"{{"message":"{}"}}"#,
            text.replace('\\', "\\\\").replace('"', "\\\"")
        );
    }
    assert!(error(text).ends_with("the record is wrapped in more than 3 strings"));
}

#[test]
fn of_a_key_that_occurs_twice_the_first_counts() {
    let text = r#"{"eventName":"A","eventName":"B","errorCode":null,"errorCode":"X","userIdentity":{"arn":"a","arn":"b"},
        "requestParameters":{"k":1,"k":2}}"#;
    with(text, |record| {
        assert_eq!((record.event_name, record.error_code), (Some("A"), None));
        assert_eq!(record.user_identity.unwrap().arn, Some("a"));
        assert_eq!(
            record
                .request_parameters
                .get("k")
                .unwrap()
                .number_text()
                .unwrap(),
            "1"
        );
    });
}

#[test]
fn broken_records_say_where() {
    for (text, expected) in [
        (
            &b"[]"[..],
            "record_not_an_object: the record is not a JSON object",
        ),
        (
            b"7",
            "record_not_an_object: the record is not a JSON object",
        ),
        (
            br#"{"a": tru}"#,
            "record_invalid_json: invalid JSON at byte 6 of the record: an unknown word",
        ),
        (
            br#"{"a" 1}"#,
            "record_invalid_json: invalid JSON at byte 5 of the record: a comma, colon or bracket is missing or misplaced",
        ),
        (
            b"{\"a\":\"b\nc\"}",
            "record_invalid_json: invalid JSON at byte 7 of the record: a string with a control character or without an end",
        ),
        (
            br#"{"a":"b}"#,
            "record_invalid_json: invalid JSON at byte 5 of the record: a string with a control character or without an end",
        ),
        (
            b"{\"a\":\"b\xff\"}",
            "record_invalid_utf8: invalid UTF-8 at byte 7 of the record",
        ),
    ] {
        assert_eq!(error(text), expected);
    }
    for text in [
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ud800\u0041"}"#,
    ] {
        assert!(
            error(text).starts_with("record_lone_surrogate: "),
            "{}",
            error(text)
        );
    }
    assert!(error(r#"{"a":"\x"}"#).starts_with("record_invalid_json: "));
    assert!(error(r#"{"a":1}x"#).starts_with("record_invalid_json: "));
    assert!(error("").starts_with("record_invalid_json: "));
}

#[test]
fn numbers() {
    let text = r#"{"requestParameters":[0,-12,18446744073709551615,1.5,1e3,123456789012345678901234567890,-0.25]}"#;
    with(text, |record| {
        let numbers: Vec<_> = record
            .json
            .get("requestParameters")
            .unwrap()
            .items()
            .filter_map(|n| n.number_text())
            .collect();
        assert_eq!(
            numbers,
            [
                "0",
                "-12",
                "18446744073709551615",
                "1.5",
                "1000",
                "123456789012345680000000000000",
                "-0.25"
            ]
        );
        assert!(matches!(record.request_parameters, Parameters::Redacted));
    });
}

#[test]
fn a_value_prints_as_json() {
    let text = r#"{"a":["b\"\\\n\u0001é😀",null,true,-1,0.5,{}],"c":{"d":[]}}"#;
    let printed = with(text, |record| record.json.to_text());
    assert_eq!(printed, text);
    assert_eq!(with(&printed, |record| record.json.to_text()), text);
}

#[test]
fn a_parser_goes_on_after_an_error() {
    let mut parser = RecordParser::new();
    for _ in 0..3 {
        assert!(matches!(
            parser.parse(b"{\"a\":}", |_| ()),
            Err(RecordError::InvalidJson { .. })
        ));
        let name = parser.parse(br#"{"eventName":"A"}"#, |record| {
            record.event_name.map(str::to_owned)
        });
        assert_eq!(name, Ok(Some("A".to_owned())));
    }
}
