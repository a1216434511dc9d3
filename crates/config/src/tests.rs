use super::*;
use crate::setting::ROUTE;
use crate::value::Kind;
use toml::de::DeValue;

const GOOD: &str = r#"
data_dir = "/var/lib/hearthpost"
hostname = "mail.example.org"
domains = ["example.org", "Bücher.example"]

[doors]
smtp = ["0.0.0.0:25", "[::]:25"]
submissions = "0.0.0.0:465"
imaps = ["0.0.0.0:993"]
lmtp = ["127.0.0.1:24"]

[tls]
certificate = "/etc/hearthpost/fullchain.pem"
key = "/etc/hearthpost/privkey.pem"

[limits]
message_size = "100 MiB"

[smtp]
bare_newlines = "normalise"

[queue]
retry_first = "2 min"
give_up = "3 days"

[deliver]
source_v4 = "192.0.2.25"
connections = 50

[dns]
servers = ["127.0.0.1:53"]
trust_ad = true

[[routes]]
name = "partner"
to = ["example.net", "example.edu"]
host = "mx.partner.example"
tls = "none"
fallback = "smarthost"

[[routes]]
name = "smarthost"
host = "smtp.example.com"
user = "relay@example.org"
password_file = "/etc/hearthpost/smarthost.password"
fallback = "mx"
after_attempts = 5
"#;

#[test]
fn a_good_configuration_is_read() {
    let config = read(GOOD).unwrap().config;
    assert_eq!(config.hostname, "mail.example.org");
    assert_eq!(config.domains, ["example.org", "xn--bcher-kva.example"]);
    assert_eq!(config.doors.smtp.len(), 2);
    assert_eq!(config.doors.submissions, ["0.0.0.0:465".parse().unwrap()]);
    assert!(config.doors.imap.is_empty(), "doors are off until asked for");
    assert_eq!(config.message_bytes, 100 * 1024 * 1024);
    assert_eq!(config.connections, 20_000);
    assert_eq!(config.bare_newlines, BareNewlines::Normalise);
    assert_eq!(config.authenticity, Authenticity::Off);
    let more = format!("{GOOD}\n").replace(
        "[smtp]\n",
        "[smtp]\nauthenticity = \"enforce\"\narc_sealers = [\"Lists.example.net\"]\nrefused_domains = [\"Spam.example\"]\n\
         own_servers = [\"192.0.2.0/28\", \"2001:db8::1\"]\npublic_suffixes = \"/l\"\n",
    );
    let config = read(&more).unwrap().config;
    assert_eq!(config.authenticity, Authenticity::Enforce);
    assert_eq!(config.arc_sealers, ["lists.example.net"]);
    assert_eq!(config.refused_domains, ["spam.example"]);
    let networks = [
        ("192.0.2.0".parse().unwrap(), 28),
        ("2001:db8::1".parse().unwrap(), 128),
    ];
    assert_eq!(config.own_servers, networks);
    assert_eq!(config.public_suffixes, Some(PathBuf::from("/l")));
    for network in [
        "192.0.2.1/28",
        "192.0.2.0/33",
        "2001:db8::/129",
        "all",
        "192.0.2.0/",
        "/8",
    ] {
        let bad = GOOD.replace("[smtp]\n", &format!("[smtp]\nown_servers = [{network:?}]\n"));
        let problems = read(&bad).unwrap_err();
        assert!(
            problems[0].reason.contains("is not a network"),
            "{network}: {problems:?}"
        );
    }
    let keys = "[dkim]\nkeys = [\"/k/h1._domainkey.example.org.pem\"]\n";
    let config = read(&format!("{GOOD}{keys}")).unwrap().config;
    assert_eq!(
        config.dkim_keys,
        [PathBuf::from("/k/h1._domainkey.example.org.pem")]
    );
    assert_eq!(config.log_stderr, LogStderr::Human);
    assert_eq!(
        config.tls.unwrap().key,
        PathBuf::from("/etc/hearthpost/privkey.pem")
    );
}

#[test]
fn what_concerns_sending_is_read() {
    let Config {
        queue,
        deliver,
        dns,
        routes,
        ..
    } = read(GOOD).unwrap().config;
    assert_eq!(queue.retry_first, Duration::from_secs(120));
    assert_eq!(queue.retry_longest, Duration::from_secs(4 * 3600), "the default");
    assert_eq!(queue.give_up, Duration::from_secs(3 * 86_400));
    assert_eq!((deliver.port, deliver.allow_private), (25, false));
    assert_eq!(deliver.source_v4, Some("192.0.2.25".parse().unwrap()));
    assert_eq!(
        deliver.ehlo_name, "mail.example.org",
        "the host name, when nothing is said"
    );
    assert_eq!(deliver.ehlo_name_v6, deliver.ehlo_name, "and the same over IPv6");
    let two = GOOD.replace("[deliver]\n", "[deliver]\nehlo_name_v6 = \"out6.example.org\"\n");
    let two = read(&two).unwrap().config.deliver;
    assert_eq!(
        (two.ehlo_name.as_str(), two.ehlo_name_v6.as_str()),
        ("mail.example.org", "out6.example.org")
    );
    assert_eq!(
        (deliver.connections, deliver.connections_per_destination),
        (50, 20)
    );
    assert_eq!(dns.servers, [NameServer::At("127.0.0.1:53".parse().unwrap())]);
    assert_eq!(dns.validation, Validation::Servers);
    let partner = Route {
        name: "partner".to_owned(),
        serves: Serves::To(vec!["example.net".to_owned(), "example.edu".to_owned()]),
        road: Road::Smarthost(Smarthost {
            host: "mx.partner.example".to_owned(),
            port: 25,
            tls: RouteTls::None,
            login: None,
        }),
        fallback: Some(Fallback {
            to: FallbackTo::Route("smarthost".to_owned()),
            after_attempts: 3,
        }),
    };
    let smarthost = Route {
        name: "smarthost".to_owned(),
        serves: Serves::Everything,
        road: Road::Smarthost(Smarthost {
            host: "smtp.example.com".to_owned(),
            port: 587,
            tls: RouteTls::Dane,
            login: Some(Login {
                user: "relay@example.org".to_owned(),
                password_file: PathBuf::from("/etc/hearthpost/smarthost.password"),
            }),
        }),
        fallback: Some(Fallback {
            to: FallbackTo::Mx,
            after_attempts: 5,
        }),
    };
    assert_eq!(routes, [partner, smarthost]);
}

#[test]
fn every_setting_has_a_default_or_says_that_it_has_none_and_its_example_passes() {
    for setting in SETTINGS.iter().chain(ROUTE) {
        let _ = setting.default_value();
        let example = DeValue::parse(setting.example).unwrap();
        assert!(setting.kind.read(&example).is_ok(), "{}", setting.name);
        assert!(setting.doc.ends_with('.'), "{}", setting.name);
        assert!(!setting.doc.contains("  "), "{} is told with gaps", setting.name);
    }
    for setting in SETTINGS {
        assert!(reference().contains(&format!("## {}\n", setting.name)));
    }
    for field in ROUTE {
        assert!(reference().contains(&format!("### routes.{}\n", field.name)));
    }
}

#[test]
fn every_example_works_in_a_file() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n\
                 tls.certificate = \"/c\"\ntls.key = \"/k\"\ndns.servers = [\"127.0.0.1:53\"]\n";
    for setting in SETTINGS.iter().filter(|setting| !start.contains(setting.name)) {
        let text = format!("{start}{} = {}\n", setting.name, setting.example);
        assert!(read(&text).is_ok(), "{text}{:?}", read(&text));
    }
}

/// Lines that change the good configuration, and the sentence that must come out.
const GALLERY: &[(&str, &str, &str)] = &[
    (
        "[smtp]",
        "[process]\nuser = \"mail server\"\n[smtp]",
        "line 20: process.user: \"mail server\" is not the name of a user. Write a name as in /etc/passwd, a number, or uid:gid, like \"990:990\".",
    ),
    (
        "hostname = \"mail.example.org\"",
        "hostnme = \"mail.example.org\"",
        "line 3: hostnme: there is no such setting. Did you mean hostname?",
    ),
    (
        "data_dir = \"/var/lib/hearthpost\"\n",
        "",
        "data_dir: it is missing, and the server cannot start without it. Add: data_dir = \"/var/lib/hearthpost\"",
    ),
    (
        "\"/var/lib/hearthpost\"",
        "\"var/lib\"",
        "line 2: data_dir: \"var/lib\" is not an absolute path. Begin it with /, so that it does not depend on where the server is started.",
    ),
    (
        "\"mail.example.org\"",
        "\"mail\"",
        "line 3: hostname: \"mail\" is not a full host name. Write the name other servers find in DNS, like \"mail.example.org\".",
    ),
    (
        "\"mail.example.org\"",
        "25",
        "line 3: hostname: this is a number, not text. Write it in quotes, like \"mail.example.org\".",
    ),
    (
        "domains = [\"example.org\", \"Bücher.example\"]",
        "domains = \"example.org\"",
        "line 4: domains: this is a string, not a list. Write it like [\"example.org\"].",
    ),
    (
        "\"Bücher.example\"",
        "\"example..org\"",
        "line 4: domains: \"example..org\" is not a domain name. Write it like \"example.org\", without a dot at the end.",
    ),
    (
        "[\"0.0.0.0:25\", \"[::]:25\"]",
        "25",
        "line 7: doors.smtp: this is a number, not an address with its port. Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".",
    ),
    (
        "\"[::]:25\"",
        "\"::\"",
        "line 7: doors.smtp: \"::\" is not an address with its port. Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".",
    ),
    (
        "imaps = [\"0.0.0.0:993\"]",
        "imaps = [\"0.0.0.0:465\"]",
        "line 9: doors.imaps: 0.0.0.0:465 is already the address of doors.submissions. Give each door its own port.",
    ),
    (
        "127.0.0.1:24",
        "0.0.0.0:24",
        "line 10: doors.lmtp: 0.0.0.0:24 can be reached from outside, and LMTP asks nobody to sign in. Use a loopback address, like \"127.0.0.1:24\".",
    ),
    (
        "key = \"/etc/hearthpost/privkey.pem\"\n",
        "",
        "line 13: tls.certificate: a certificate without its private key is of no use. Add tls.key.",
    ),
    (
        "\"100 MiB\"",
        "\"100 MB\"",
        "line 17: limits.message_size: this is not a size. Write a size from 64 KiB to 1 GiB, like \"50 MiB\".",
    ),
    (
        "\"100 MiB\"",
        "1",
        "line 17: limits.message_size: 1 bytes is out of bounds. Write a size from 64 KiB to 1 GiB, like \"50 MiB\".",
    ),
    (
        "message_size = \"100 MiB\"",
        "connections = \"many\"",
        "line 17: limits.connections: this is not a whole number. Write a whole number from 10 to 100000, without quotes.",
    ),
    (
        "\"normalise\"",
        "\"normalize\"",
        "line 20: smtp.bare_newlines: \"normalize\" is not known here. Write one of \"refuse\", \"normalise\".",
    ),
    (
        "[limits]\nmessage_size",
        "[limits]\nmesage_size",
        "line 17: limits.mesage_size: there is no such setting. Did you mean limits.message_size?",
    ),
    (
        "[limits]\nmessage_size = \"100 MiB\"\n",
        "[spam]\nfoobarbaz = 1\n",
        "line 16: spam: there is no such setting. See all settings with: hearthpost config reference",
    ),
    (
        "retry_first = \"2 min\"",
        "retry_first = 120",
        "line 23: queue.retry_first: this is not a duration. Write a duration from 1 s to 24 h with its unit, like \"90 s\", \"5 min\", \"4 h\" or \"5 days\".",
    ),
    (
        "retry_first = \"2 min\"",
        "retry_first = \"2 days\"",
        "line 23: queue.retry_first: 2 days is out of bounds. Write a duration from 1 s to 24 h with its unit, like \"90 s\", \"5 min\", \"4 h\" or \"5 days\".",
    ),
    (
        "retry_first = \"2 min\"",
        "retry_first = \"5 h\"",
        "line 23: queue.retry_first: 5 h with queue.retry_longest at 4 h: the first wait would be longer than the longest one. Make it shorter, or queue.retry_longest longer.",
    ),
    (
        "retry_first = \"2 min\"",
        "retry_longest = \"3 days\"",
        "line 23: queue.retry_longest: 3 days with queue.give_up at 3 days: messages would go back before they are tried again. Make it shorter, or queue.give_up longer.",
    ),
    (
        "retry_first = \"2 min\"",
        "delay_notice = \"4 days\"",
        "line 23: queue.delay_notice: 4 days with queue.give_up at 3 days: nobody would be told of a delay before the message goes back. Make it shorter, or queue.give_up longer.",
    ),
    (
        "retry_first = \"2 min\"\ngive_up = \"3 days\"",
        "retry_longest = \"2 h\"\ngive_up = \"3 h\"",
        "line 24: queue.give_up: 3 h with queue.delay_notice at 4 h: nobody would be told of a delay before the message goes back. Make it longer, or queue.delay_notice shorter.",
    ),
    (
        "give_up = \"3 days\"",
        "givup = \"3 days\"",
        "line 24: queue.givup: there is no such setting. Did you mean queue.give_up?",
    ),
    (
        "\"192.0.2.25\"",
        "\"2001:db8::25\"",
        "line 27: deliver.source_v4: \"2001:db8::25\" is not an IPv4 address. Write an IPv4 address of this machine without a port, like \"192.0.2.25\".",
    ),
    (
        "\"192.0.2.25\"",
        "\"0.0.0.0\"",
        "line 27: deliver.source_v4: nothing can be sent from 0.0.0.0. Write an IPv4 address of this machine without a port, like \"192.0.2.25\".",
    ),
    (
        "source_v4 = \"192.0.2.25\"",
        "source_v6 = \"192.0.2.25\"",
        "line 27: deliver.source_v6: \"192.0.2.25\" is not an IPv6 address. Write an IPv6 address of this machine without a port, like \"2001:db8::25\".",
    ),
    (
        "source_v4 = \"192.0.2.25\"",
        "allow_private = \"yes\"",
        "line 27: deliver.allow_private: this is a string, not true or false. Write true or false, without quotes.",
    ),
    (
        "source_v4 = \"192.0.2.25\"",
        "port = 0",
        "line 27: deliver.port: 0 is out of bounds. Write a whole number from 1 to 65535, without quotes.",
    ),
    (
        "connections = 50",
        "connections = 10",
        "line 28: deliver.connections: there may be 10 connections, but 20 to one destination. Write at least 20, or lower deliver.connections_per_destination.",
    ),
    (
        "connections = 50",
        "connections_per_destination = 101",
        "line 28: deliver.connections_per_destination: one destination may have 101 connections, all together only 100. Write at most 100, or raise deliver.connections.",
    ),
    (
        "\"127.0.0.1:53\"",
        "\"127.0.0.1\"",
        "line 31: dns.servers: \"127.0.0.1\" is not an address or a name with its port. Write it like [\"127.0.0.1:53\", \"[::1]:53\", \"localhost:5353\"].",
    ),
    (
        "[\"127.0.0.1:53\"]",
        "[]",
        "line 31: dns.servers: the list is empty. Write it like [\"127.0.0.1:53\", \"[::1]:53\", \"localhost:5353\"]. Leave it out to ask the system's name servers.",
    ),
    (
        "\"127.0.0.1:53\"",
        "\"192.0.2.53:53\"",
        "line 32: dns.trust_ad: 192.0.2.53:53 may not be on this machine, so its word could be forged on the way. Run a validating resolver here and name only that in dns.servers, or leave trust_ad out.",
    ),
    (
        "\"127.0.0.1:53\"",
        "\"localhost:53\", \"unbound:53\"",
        "line 32: dns.trust_ad: unbound:53 may not be on this machine, so its word could be forged on the way. Run a validating resolver here and name only that in dns.servers, or leave trust_ad out.",
    ),
    (
        "servers = [\"127.0.0.1:53\"]\n",
        "",
        "line 31: dns.trust_ad: it is not said whose word is meant. Name the validating resolver of this machine: dns.servers = [\"127.0.0.1:53\"]",
    ),
    (
        "trust_ad = true\n",
        "trust_ad = true\ntrust_anchor = \"/etc/anchors\"\n",
        "line 33: dns.trust_anchor: with dns.trust_ad nothing is checked here, so no anchor is used. Leave one of the two out.",
    ),
    (
        "name = \"partner\"\n",
        "",
        "line 34: routes.name: it is missing, and this table means nothing without it. Add: name = \"smarthost\"",
    ),
    (
        "name = \"partner\"",
        "name = \"mx\"",
        "line 35: routes.name: \"mx\" is a name with a meaning of its own. Take another one.",
    ),
    (
        "name = \"partner\"",
        "name = \"our partner\"",
        "line 35: routes.name: \"our partner\" is no name. Write 1 to 32 of the letters a-z, A-Z, 0-9, - and _, like \"smarthost\".",
    ),
    (
        "to = [\"example.net\", \"example.edu\"]",
        "two = [\"example.net\", \"example.edu\"]\nto = []",
        "line 36: routes.two: there is no such setting. Did you mean routes.to?",
    ),
    (
        "to = [\"example.net\", \"example.edu\"]",
        "to = [\"example.net\", \"example.org\"]",
        "line 36: routes.to: example.org is a domain of ours, whose mail stays here. Leave it out, here or in domains.",
    ),
    (
        "to = [\"example.net\", \"example.edu\"]\n",
        "",
        "line 40: routes: the route on line 34 is the default already, having neither to nor from. Add to or from; a route that is only a fallback has to = [].",
    ),
    (
        "to = [\"example.net\", \"example.edu\"]",
        "to = [\"example.net\"]\nfrom = [\"example.org\"]",
        "line 37: routes.from: a route serves recipient domains or sender domains, not both. Make two routes of it.",
    ),
    (
        "\"mx.partner.example\"",
        "\"mx.partner.example:25\"",
        "line 37: routes.host: \"mx.partner.example:25\" is neither a host name nor an IP address. Write it without a port, like \"smtp.example.net\", or \"mx\" to ask DNS for each domain's own servers.",
    ),
    (
        "\"mx.partner.example\"",
        "\"mx\"",
        "line 38: routes.tls: a route with host \"mx\" goes to servers that DNS names, so this has no meaning. Leave it out, or name a host.",
    ),
    (
        "tls = \"none\"",
        "tls = \"ssl\"",
        "line 38: routes.tls: \"ssl\" is not known here. Write one of \"dane\", \"starttls\", \"implicit\", \"opportunistic\", \"none\".",
    ),
    (
        "fallback = \"smarthost\"",
        "fallback = \"smarhost\"",
        "line 39: routes.fallback: there is no route called \"smarhost\". Did you mean \"smarthost\"?",
    ),
    (
        "fallback = \"smarthost\"",
        "fallback = \"elsewhere\"",
        "line 39: routes.fallback: there is no route called \"elsewhere\". Name one of [[routes]], or \"mx\".",
    ),
    (
        "fallback = \"mx\"",
        "fallback = \"partner\"",
        "line 39: routes.fallback: the fallbacks go in a circle: partner, smarthost, partner. Let the last of them have none, or \"mx\".",
    ),
    (
        "fallback = \"mx\"\n",
        "",
        "line 46: routes.after_attempts: there is no fallback that could be taken then. Add fallback, or leave it out.",
    ),
    (
        "password_file = \"/etc/hearthpost/smarthost.password\"\n",
        "",
        "line 44: routes.user: a user without a password cannot sign in. Add password_file = \"/etc/hearthpost/smarthost.password\"",
    ),
    (
        "user = \"relay@example.org\"\n",
        "",
        "line 44: routes.password_file: a password without a user is of no use. Add user.",
    ),
    (
        "user = \"relay@example.org\"",
        "user = \"relay@example.org\"\ntls = \"opportunistic\"",
        "line 44: routes.user: with tls \"opportunistic\" the password could be read on the way. Use tls = \"starttls\" or \"implicit\".",
    ),
];

#[test]
fn a_misspelled_setting_is_not_missed_as_well() {
    let text = GOOD
        .replace("password_file", "pasword_file")
        .replace("hostname", "hostnme");
    let said: Vec<String> = read(&text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[1].ends_with("Did you mean routes.password_file?"),
        "{said:?}"
    );
}

#[test]
fn gallery_of_broken_configurations() {
    for (from, to, sentence) in GALLERY {
        assert!(GOOD.contains(from), "{from}");
        let problems = read(&GOOD.replace(from, to)).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|said| said == sentence),
            "expected\n  {sentence}\ngot\n  {}",
            said.join("\n  ")
        );
        assert_eq!(said.len(), 1, "one fault, one problem: {said:?}");
    }
}

#[test]
fn a_torn_line_is_named() {
    let problems =
        read("data_dir = \"/x\"\nhostname = \"mail.example.org\n[doors]\nsmtp = [\"0.0.0.0:25\"]\n")
            .unwrap_err();
    assert_eq!(problems[0].line, Some(2), "{problems:?}");
}

#[test]
fn all_problems_come_at_once_in_the_order_of_their_lines() {
    let problems =
        read("hostname = 1\ndata_dir = 2\n[doors]\nsmpt = \"off\"\nimaps = \"127.0.0.1:993\"\n").unwrap_err();
    let lines: Vec<Option<usize>> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(4), Some(5)], "{problems:?}");
}

#[test]
fn doors_where_people_sign_in_need_tls_and_no_door_is_no_server() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\n";
    let problems = read(&format!("{start}[doors]\nimap = [\"0.0.0.0:143\"]\n")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 4: doors.imap: people sign in at this door, and that is allowed under TLS only. \
         Add tls.certificate and tls.key, or turn it \"off\"."
    );
    let problems = read(start).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "doors: no door is open, so nobody could reach the server. Add at least: [doors] smtp = [\"0.0.0.0:25\", \"[::]:25\"]"
    );
}

#[test]
fn messages_are_limited_in_one_way() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n";
    let config = read(start).unwrap().config;
    assert_eq!((config.message_limit, config.save_limit), (None, None));
    let config = read(&format!("{start}imap.save_limit = 1000\n")).unwrap().config;
    assert_eq!((config.message_limit, config.save_limit), (None, Some(1000)));
    assert!(read(&format!("{start}imap.message_limit = 999\n")).is_err());
    let both = format!("{start}imap.message_limit = 1000\nimap.save_limit = 1000\n");
    assert_eq!(
        read(&both).unwrap_err()[0].to_string(),
        "line 5: imap.save_limit: imap.message_limit holds for COPY too, and clients are told of one limit. Keep one of the two."
    );
}

#[test]
fn anchors_are_the_internets_or_those_of_a_file() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n";
    let validation =
        |line: &str| read(&format!("{start}{line}\n")).map(|checked| checked.config.dns.validation);
    assert_eq!(validation(""), Ok(Validation::Off));
    assert_eq!(validation("dns.trust_anchor = \"root\""), Ok(Validation::Root));
    assert_eq!(
        validation("dns.trust_anchor = \"/a\""),
        Ok(Validation::File("/a".into()))
    );
    assert_eq!(
        validation("dns.trust_anchor = \"a\"").unwrap_err()[0].to_string(),
        "line 4: dns.trust_anchor: \"a\" is not an absolute path. Begin it with /, or write \"root\" for those of the Internet."
    );
}

#[test]
fn two_routes_with_one_name_or_one_domain_are_told_apart() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n";
    let route = "[[routes]]\nname = \"a\"\nto = [\"example.net\"]\nhost = \"192.0.2.1\"\n";
    let said: Vec<String> = read(&format!("{start}{route}{route}"))
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "line 9: routes.name: the route on line 4 is called \"a\" already. Give each route a name of its own.",
            "line 10: routes.to: example.net is served by the route on line 4 already. Leave it out in one of them.",
        ]
    );
    let problems = read(&format!("{start}routes = [1]\n")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 4: routes: the list has a number where a table belongs. \
         Write [[routes]] on a line of its own and its settings below, once for each."
    );
    let problems = read(&format!("{start}routes = \"smtp.example.net\"\n")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 4: routes: this is a string, not a list of tables. \
         Write [[routes]] on a line of its own and the settings of one route below, once for each."
    );
    let problems = read(&format!("{start}queue = 5\n")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 4: queue: this is a section, not a value. Write [queue] on a line of its own and its settings below."
    );
}

#[test]
fn the_stages_of_learning_come_in_their_order() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n";
    let said = |lines: &str| match read(&format!("{start}{lines}\n")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    assert_eq!(said("mandatory_tls.warn_days = 7"), Vec::<String>::new());
    assert_eq!(
        said("mandatory_tls.observe_days = 31"),
        [
            "line 4: mandatory_tls.observe_days: 31 days are more than the 30 of mandatory_tls.warn_days, which comes after. \
          Write at most 30, or raise mandatory_tls.warn_days."
        ]
    );
    assert_eq!(
        said("mandatory_tls.require_days = 29"),
        [
            "line 4: mandatory_tls.require_days: 29 days are fewer than the 30 of mandatory_tls.warn_days, which comes before. \
          Write at least 30, or lower mandatory_tls.warn_days."
        ]
    );
}

#[test]
fn ops_3_a_secret_in_the_file_is_refused() {
    let text = GOOD.replace("after_attempts = 5", "password = \"correct horse\"");
    let problems = read(&text).unwrap_err();
    assert_eq!(problems.len(), 1);
    let said = problems[0].to_string();
    assert_eq!(
        said,
        "line 47: routes.password: secrets do not stand in this file, which many may read. Write it into a file that only \
         the server's user can read, and name that with password_file."
    );
    assert!(!said.contains("horse"));
}

#[test]
fn what_holds_is_shown_with_its_source_and_reads_back_as_the_same() {
    let checked = read(GOOD).unwrap();
    let shown = checked.shown();
    let of = |name: &str| shown.iter().find(|shown| shown.name == name).unwrap();
    assert_eq!(of("queue.give_up").value.as_deref(), Some("\"3 days\""));
    assert_eq!(of("queue.give_up").source, Source::Line(24));
    assert_eq!(of("deliver.port").source, Source::Default);
    assert_eq!(of("tls.extra_roots").source, Source::Unset);
    assert_eq!(shown.len(), SETTINGS.len());
    assert_eq!(read(&checked.written()).unwrap().config, checked.config);
}

#[test]
fn changes_name_what_differs_and_what_it_takes() {
    let (old, new) = (read(GOOD).unwrap(), GOOD.replace("\"3 days\"", "\"2 days\""));
    let new = read(&new.replace("0.0.0.0:465", "0.0.0.0:4650")).unwrap();
    let changes = old.changes(&new);
    let names: Vec<_> = changes.iter().map(|change| (change.name, change.takes)).collect();
    assert_eq!(
        names,
        [
            ("doors.submissions", Takes::Restart),
            ("queue.give_up", Takes::Reload)
        ]
    );
    assert_eq!(changes[1].before.as_deref(), Some("\"3 days\""));
    assert_eq!(changes[1].after.as_deref(), Some("\"2 days\""));
    let moved = read(&format!("# a comment\n{GOOD}")).unwrap();
    assert_eq!(old.changes(&moved), [], "where a line stands is no change");
}

/// Values that every kind of setting is tried with, good and bad ones.
const TRIES: &[&str] = &[
    "true",
    "false",
    "0",
    "1",
    "65535",
    "\"off\"",
    "\"none\"",
    "\"/x\"",
    "[\"0.0.0.0:25\"]",
    "[\"[::]:24\", \"127.0.0.1:24\"]",
    "[\"[::ffff:192.0.2.1]:24\"]",
    "[\"192.168.1.1:24\"]",
    "[\"example.net\"]",
    "[\"example.net:53\"]",
    "[\"localhost:53\"]",
    "[]",
    "\"mx\"",
    "\"*\"",
    "[\"*\"]",
    "\"mail.example.net\"",
    "\"5 days\"",
];

/// Relaying takes a sign-in, which is a type ([the journey](../../ARCHITECTURE.md)); what settings could do is open a door where
/// nobody signs in to the outside, let people sign in without TLS, or trust the word of others.
#[test]
fn ops_4_no_setting_opens_a_relay_or_a_door_without_its_lock() {
    let mut good = 0;
    let pairs = SETTINGS
        .iter()
        .flat_map(|one| SETTINGS.iter().map(move |other| (one, other)));
    for (one, other) in pairs.filter(|(one, other)| one.name != other.name) {
        for value in TRIES {
            let lines = format!("{} = {value}\n{} = {}\n", one.name, other.name, other.example);
            let text = without(GOOD_FLAT, &[one.name, other.name]);
            let checked = read(&format!("{text}{lines}"));
            let Ok(checked) = checked else { continue };
            good += 1;
            let Config {
                doors,
                dns,
                routes,
                tls,
                ..
            } = checked.config;
            assert!(doors.lmtp.iter().all(|at| at.ip().is_loopback()), "{lines}");
            let signed_in = [
                &doors.submission,
                &doors.submissions,
                &doors.imap,
                &doors.imaps,
                &doors.pop3,
                &doors.pop3s,
            ];
            assert!(
                tls.is_some() || signed_in.iter().all(|at| at.is_empty()),
                "{lines}"
            );
            assert!(dns.validation != Validation::Servers || dns.servers.iter().all(NameServer::is_here));
            for route in routes {
                let Road::Smarthost(host) = route.road else {
                    continue;
                };
                let verified = matches!(host.tls, RouteTls::Dane | RouteTls::StartTls | RouteTls::Implicit);
                assert!(host.login.is_none() || verified, "{lines}");
            }
        }
    }
    assert!(good > 1000, "only {good} were good: the test tries nothing");
    for setting in SETTINGS.iter().chain(ROUTE) {
        let name = setting.name;
        for word in ["relay", "trusted", "mynetworks", "insecure", "anonymous"] {
            assert!(!name.contains(word), "{name} sounds like a way around signing in");
        }
        if let Kind::Tables(fields) = setting.kind {
            assert_eq!(fields, ROUTE);
        }
    }
}

const GOOD_FLAT: &str = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:25\"]\n\
    tls.certificate = \"/c\"\ntls.key = \"/k\"\n";

fn without(text: &str, names: &[&str]) -> String {
    let gone = |line: &&str| !names.iter().any(|name| line.starts_with(&format!("{name} =")));
    let lines: Vec<&str> = text.lines().filter(gone).collect();
    lines.join("\n") + "\n"
}

/// A file that ends too early, as after a full disk or a copy that was cut off: what is missing makes no problems of its own.
#[test]
fn a_torn_file_has_the_problem_of_its_tear_alone() {
    let mut torn = 0;
    for end in (0..GOOD.len()).filter(|end| GOOD.is_char_boundary(*end)) {
        let text = &GOOD[..end];
        let (_, errors) = toml::de::DeTable::parse_recoverable(text);
        if errors.is_empty() {
            continue;
        }
        torn += 1;
        let problems = read(text).unwrap_err();
        let last = text.lines().count();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            said.len() == 1 && problems[0].line == Some(last),
            "{end}: {said:#?}"
        );
    }
    assert!(torn > 100, "only {torn} places tear it");
}
