//! Labels for real command lines, and for any other bytes.

use super::*;
use crate::model::{ProcessId, RelatedProcess};
use proptest::prelude::*;

fn process(name: &[u8], executable: Option<&[u8]>, command: &[&[u8]]) -> Process {
    Process {
        command: Some(command.iter().map(|word| Text::from(*word)).collect()),
        executable: executable.map(Text::from),
        ..Process::new(ProcessId { pid: 1, start: None }, name.into())
    }
}

/// Returns the label for a command line whose words have no spaces, in brackets if it is the name of a file.
fn label_of(line: &str) -> String {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    shown(label(&process(file_name(words[0]), None, &words)))
}

fn shown(runs: Option<Label>) -> String {
    match runs {
        Some(Label::Named(text)) => text.to_string_lossy().into_owned(),
        Some(Label::File(text)) => format!("[{}]", text.to_string_lossy()),
        None => String::new(),
    }
}

fn all(cases: &[(&str, &str)]) {
    for (line, wanted) in cases {
        assert_eq!(label_of(line), *wanted, "{line}");
    }
}

#[test]
fn javascript() {
    all(&[
        ("node /home/dev/src/shop/node_modules/.bin/vite --host", "vite"),
        ("node ./node_modules/vite/bin/vite.js preview --port 80", "vite preview"),
        ("node /s/node_modules/.pnpm/vite@5.4.0/node_modules/vite/bin/vite.js", "vite"),
        ("node /usr/local/bin/vite dev", "vite dev"),
        ("node vite.js", "[vite.js]"),
        ("/usr/bin/node /s/node_modules/.bin/next dev -p 3000", "next dev"),
        ("node /s/node_modules/next/dist/bin/next start", "next start"),
        ("node /s/node_modules/next/dist/server/lib/start-server.js", "next"),
        ("node /s/node_modules/react-scripts/scripts/start.js", "react-scripts start"),
        ("node /s/node_modules/@angular/cli/bin/ng.js serve", "ng serve"),
        ("node /s/node_modules/@expo/cli/build/bin/cli start", "expo start"),
        ("node /s/node_modules/.bin/webpack serve", "webpack serve"),
        ("node /s/node_modules/.bin/webpack --mode serve", "webpack"),
        ("node /s/node_modules/astro/astro.js dev", "astro dev"),
        ("node /s/node_modules/nuxt/bin/nuxt.mjs dev", "nuxt dev"),
        ("node /s/node_modules/.bin/storybook dev -p 6006", "storybook dev"),
        ("node /s/node_modules/.bin/something --port 1", "something"),
        ("node /s/node_modules/@scope/thing/lib/server.js", "@scope/thing"),
        ("node /s/node_modules/thing/lib/server.js", "thing"),
        ("node /s/node_modules/typescript/bin/tsc --watch", "tsc"),
        (r"C:\node\node.exe C:\s\node_modules\vite\bin\vite.js", "vite"),
        ("node /usr/lib/node_modules/npm/bin/npm-cli.js run dev", "npm run dev"),
        ("node /usr/bin/npm start", "npm start"),
        ("node /usr/lib/node_modules/corepack/dist/pnpm.js run dev", "pnpm run dev"),
        ("node /s/.yarn/releases/yarn-4.0.2.cjs dev", "yarn dev"),
        ("node /s/node_modules/.bin/tsx watch src/server.ts", "tsx watch server.ts"),
        ("node /s/node_modules/.bin/nodemon src/app.js", "nodemon app.js"),
        (
            "node --require /s/tsx/preflight.cjs --import file:///s/tsx/loader.mjs src/server.ts",
            "[server.ts]",
        ),
        ("node --inspect=9229 --enable-source-maps -r dotenv/config server.js", "[server.js]"),
        ("node -- server.js", "[server.js]"),
        ("nodejs server.js", "[server.js]"),
        ("node -e require('http')", ""),
        ("node --eval=1 x", ""),
        ("node -pe 1", ""),
        ("node -", ""),
        ("node -r", ""),
        ("node", ""),
        ("bun run dev", "bun run dev"),
        ("bun run server.ts", "[server.ts]"),
        ("bun --hot server.ts", "[server.ts]"),
        ("bun --cwd web /s/node_modules/.bin/vite", "vite"),
        ("deno run --allow-net main.ts", "[main.ts]"),
        ("deno run -A npm:vite@5 preview", "vite preview"),
        ("deno task dev", "deno task dev"),
        ("deno serve --port 8000 main.ts", "[main.ts]"),
        ("deno repl", ""),
    ]);
}

#[test]
fn python() {
    all(&[
        ("python3 -m http.server 8000", "python -m http.server"),
        ("python -X dev -W ignore -m http.server 8000", "python -m http.server"),
        ("python3.11 -uBm http.server", "python -m http.server"),
        ("python3 -m http.server -d dist 8000", "python -m http.server -d dist"),
        ("python3 -m http.server 8000 --directory=/srv/www", "python -m http.server -d /srv/www"),
        ("python3 -m http.server -b :: -d", "python -m http.server"),
        ("python3 -mhttp.server", "python -m http.server"),
        ("python3 -Wignore -Xutf8 app.py", "[app.py]"),
        ("python3 -m uvicorn --port 8000 shop.main:app", "uvicorn shop.main:app"),
        ("python3 /v/bin/uvicorn --host 0.0.0.0:1 shop:app --reload", "uvicorn shop:app"),
        ("/v/bin/python /v/bin/gunicorn -b localhost:8000 -w 4 shop:create()", "gunicorn shop:create()"),
        ("/v/bin/python /v/bin/gunicorn shop.wsgi", "gunicorn shop.wsgi"),
        ("/v/bin/python /v/bin/gunicorn -c conf.py", "gunicorn"),
        ("python3 manage.py runserver 0.0.0.0:8000", "manage.py runserver"),
        ("python3 /s/manage.py --help", "manage.py"),
        ("python -m flask run --debug", "flask run"),
        ("python -m django runserver", "django runserver"),
        ("python3 /v/lib/site-packages/streamlit/__main__.py run a.py", "streamlit run"),
        ("python3 /s/shop/__main__.py", "shop"),
        (r"C:\py\python.exe C:\v\Scripts\uvicorn.exe shop:app", "uvicorn shop:app"),
        ("python3 server.py --token x", "[server.py]"),
        ("python3 /v/bin/flask --app shop run --debug", "flask run shop"),
        ("python3 /v/bin/flask --app=src/shop.py run -p 80", "flask run shop.py"),
        ("python3 -m flask -A shop:create_app('x') run", "flask run shop:create_app"),
        ("python3 /v/bin/flask run --app shop", "flask run shop"),
        ("python3 /v/bin/flask run", "flask run"),
        ("python3 /v/bin/flask --debug", "flask"),
        ("python3 /v/bin/celery -A proj worker -l info", "celery worker proj"),
        ("python3 /v/bin/dask scheduler", "dask scheduler"),
        ("python3 /v/bin/dask worker tcp://127.0.0.1:8786", "dask worker"),
        ("python3 -m ipykernel_launcher -f x.json", "jupyter kernel"),
        ("pypy3 server.py", "[server.py]"),
        ("python3 -c from", ""),
        ("python3 -", ""),
        ("python3 -i", ""),
        ("python3 -m", ""),
        ("python3", ""),
    ]);
}

#[test]
fn ruby_php_perl_and_shells() {
    all(&[
        ("ruby bin/rails server -p 3000", "rails server"),
        ("/usr/bin/ruby3.1 -W0 -I lib -rbundler/setup /usr/bin/puma -C x", "puma"),
        ("ruby /usr/bin/bundle exec rackup", "bundle exec rackup"),
        ("ruby app.rb", "[app.rb]"),
        ("ruby -run -e httpd . -p 8000", "ruby -run -e httpd"),
        ("ruby -r un -ehttpd . -p 8000", "ruby -run -e httpd"),
        ("ruby -W0 -run -e httpd -- . --port=8000", "ruby -run -e httpd"),
        ("ruby -run -e system(1)", ""),
        ("ruby -rubygems -e httpd", ""),
        ("php -S localhost:8000 -t public", "php -S -t public"),
        ("php8.2 -d memory_limit=1G -S 0.0.0.0:80", "php -S"),
        ("php artisan serve --port=8000", "artisan serve"),
        ("php -f server.php", "[server.php]"),
        ("php -dfoo=1 server.php", "[server.php]"),
        ("php -r echo", ""),
        ("perl -Ilib -MFoo /usr/bin/plackup app.psgi", "plackup"),
        ("perl -w server.pl", "[server.pl]"),
        ("perl -we print", ""),
        ("bash -eu -o pipefail ./serve.sh", "[serve.sh]"),
        ("sh -c exec", ""),
        ("-bash", ""),
        ("bash -lc x", ""),
    ]);
}

#[test]
fn java_dotnet_and_elixir() {
    all(&[
        ("java -Xmx1g -jar /opt/shop-1.2.jar --server.port=80", "shop-1.2.jar"),
        (
            "/usr/lib/jvm/21/bin/java -cp a.jar:b.jar -Dx=y com.example.shop.ShopApplication",
            "ShopApplication",
        ),
        ("java --add-opens java.base/java.lang=ALL-UNNAMED -p mods -m shop/com.example.Shop", "Shop"),
        ("java --module=shop/com.example.Shop", "Shop"),
        ("java @options Main", "Main"),
        ("java shop.Main", "shop.Main"),
        ("java -cp classes com.example.shop.Server", "shop.Server"),
        ("java -m shop/com.example.App", "example.App"),
        ("java @etc/shop.args", "@shop.args"),
        ("java -Xmx1g @etc/shop.args -ea", "@shop.args"),
        ("java @", ""),
        ("mono s.exe", "s.exe"),
        ("mono-sgen --debug --config c.xml /srv/shop.exe 80", "shop.exe"),
        ("mono -O=all s.exe", "s.exe"),
        ("mono --version", ""),
        ("java Server.java", "[Server.java]"),
        ("java -classpath w.jar org.gradle.wrapper.GradleWrapperMain bootRun", "gradle bootRun"),
        ("java -cp w.jar org.apache.maven.wrapper.MavenWrapperMain spring-boot:run", "mvn spring-boot:run"),
        ("java -jar gradle/wrapper/gradle-wrapper.jar run", "gradle run"),
        ("java -cp x org.apache.catalina.startup.Bootstrap start", "tomcat"),
        ("java -jar", ""),
        ("java -cp", ""),
        ("java -version", ""),
        ("dotnet bin/Debug/net8.0/Shop.dll --urls x", "Shop.dll"),
        ("dotnet exec --depsfile a.json Shop.dll", "Shop.dll"),
        ("dotnet watch run", "dotnet watch run"),
        ("dotnet run --project shop", "dotnet run"),
        ("/e/bin/beam.smp -- -root /e -- -home /h -- -extra /usr/bin/mix phx.server", "mix phx.server"),
        ("/e/bin/beam.smp -- -root /e", ""),
        ("/e/bin/beam.smp -- -root /e -progname erl -- -home /root -- -sname a -noshell", "Erlang node a"),
        ("/e/bin/beam.smp -- -root /e -- -name shop@10.0.0.1 -setcookie s", "Erlang node shop@10.0.0.1"),
        (
            "/e/bin/beam.smp -- -root /e -- -home /h -- -s elixir start_cli -setcookie s -sname shop -- -- -extra --no-halt",
            "Erlang node shop",
        ),
        ("/e/bin/beam.smp -- -root /e -- -noinput -s rabbit boot -boot start_sasl", "RabbitMQ"),
        ("/e/bin/beam.smp -- -root /e -- -s rabbit boot -sname rabbit@vm", "RabbitMQ node rabbit@vm"),
        (
            "/e/bin/beam.smp -- -root /e -- -sname a -- -extra /usr/bin/mix phx.server",
            "mix phx.server, Erlang node a",
        ),
    ]);
}

#[test]
fn programs_that_run_what_their_arguments_name() {
    all(&[
        ("uwsgi --http :8000 --wsgi-file /srv/app.py --master", "uwsgi app.py"),
        ("uwsgi --http-socket=:80 --module=shop.wsgi:app", "uwsgi shop.wsgi:app"),
        ("/usr/bin/uwsgi-core --ini /etc/uwsgi/shop.ini", "uwsgi shop.ini"),
        ("uwsgi shop.ini", "uwsgi shop.ini"),
        ("uwsgi --mount /shop=shop.py", "uwsgi shop.py"),
        ("uwsgi --http :80", ""),
        ("busybox httpd -f -p 80", "busybox httpd"),
        ("/bin/busybox sh /srv/start.sh", "[start.sh]"),
        ("busybox sh", ""),
        ("busybox", ""),
        ("ssh -NL 3000:db:5432 dev@host", "ssh -L 3000:db:5432 dev@host"),
        ("ssh host", ""),
    ]);
    let linked = process(b"httpd", Some(b"/bin/busybox"), &[b"/usr/sbin/httpd", b"-f"]);
    assert_eq!(shown(label(&linked)), "busybox httpd");
    let shell = process(b"sh", Some(b"/bin/busybox"), &[b"-sh"]);
    assert_eq!(label(&shell), None);
    assert!(is_shell(&shell));
    let data: &[u8] = b"/v/lib/python3.11/site-packages/tensorboard_data_server/bin/server";
    assert_eq!(
        shown(label(&process(b"server", Some(data), &[data, b"--logdir=x"]))),
        "tensorboard data server"
    );
    assert_eq!(label(&process(b"server", Some(b"/srv/bin/server"), &[b"server"])), None);
}

#[test]
fn options_of_java_in_a_file() {
    let command: &[&[u8]] = &[b"java", b"-Xmx1g", b"@etc/shop.args", b"x"];
    let one = process(b"java", Some(b"/usr/bin/java"), command);
    assert_eq!(options_file(&one), None, "the class is on the command line");
    let one = process(b"java", Some(b"/usr/bin/java"), &command[..3]);
    assert_eq!(options_file(&one), Some("etc/shop.args".into()));
    let from_file = |content: &str| {
        with_options(&one, content.as_bytes()).map(|text| text.to_string_lossy().into_owned())
    };
    assert_eq!(from_file("-cp \"a b\" # here\n shop.Main 80").as_deref(), Some("shop.Main"));
    assert_eq!(from_file("-jar 'lib/it\\'s.jar'").as_deref(), Some("it's.jar"));
    assert_eq!(from_file("-cp x\n-ea"), None);
    assert_eq!(from_file("\"unfinished").as_deref(), Some("unfinished"), "quotes that nothing closes");
    assert_eq!(from_file(""), None);
    let mut named = one.clone();
    named.script = Some("shop.Main".into());
    assert!(replaces_name(&named));
    assert_eq!(options_file(&process(b"node", Some(b"/usr/bin/node"), &command[..3])), None);
}

#[test]
fn titles() {
    let title = |executable: Option<&str>, line: &str| {
        let name = line.as_bytes().get(..15).unwrap_or(line.as_bytes());
        shown(label(&process(name, executable.map(str::as_bytes), &[line.as_bytes()])))
    };
    let node = Some("/usr/bin/node");
    assert_eq!(title(node, "next-server (v15.0.3)"), "next-server");
    assert_eq!(title(None, "next-server (v15.0.3)"), "next-server");
    assert_eq!(title(node, "npm run dev  "), "npm run dev");
    assert_eq!(title(node, "ng serve"), "ng serve");
    assert_eq!(title(None, "ng serve"), "", "the program is unknown");
    assert_eq!(title(Some("/usr/bin/ruby3.1"), "puma 6.4.2 (tcp://0.0.0.0:3000) [shop]"), "puma");
    assert_eq!(title(Some("/usr/bin/python3.11"), "gunicorn: master [shop:app]"), "gunicorn shop:app");
    assert_eq!(title(Some("/usr/sbin/nginx"), "nginx: master process"), "");
    assert_eq!(title(Some("/opt/own"), "puma 6.4.2 (tcp://x)"), "", "the program is another one");
    assert_eq!(title(node, "/opt/my app/node"), "");
}

#[test]
fn the_program_tells_which_interpreter_it_is() {
    let vite: &[&[u8]] = &[b"x", b"/s/node_modules/.bin/vite"];
    let renamed = process(b"MainThread", Some(b"/usr/bin/node"), vite);
    assert_eq!(shown(label(&renamed)), "vite");
    assert_eq!(interpreter_name(&renamed), "node".into());
    let script =
        process(b"uvicorn", Some(b"/usr/bin/python3.11"), &[b"/v/bin/python", b"/v/bin/uvicorn", b"a:b"]);
    assert_eq!(interpreter_name(&script), "python3.11".into());
    let native = process(b"postgres", Some(b"/usr/bin/postgres"), &[b"/usr/bin/postgres", b"-D", b"/d"]);
    assert_eq!((label(&native), interpreter_name(&native)), (None, "postgres".into()));
}

#[test]
fn what_was_built_a_moment_ago() {
    let run = |executable: &str, parent: &str| {
        let mut process = process(b"shop", Some(executable.as_bytes()), &[executable.as_bytes()]);
        process.parents.push(RelatedProcess { pid: 1, name: parent.into() });
        shown(label(&process))
    };
    assert_eq!(run("/s/target/debug/shop", "cargo"), "cargo run");
    assert_eq!(run(r"C:\s\target\debug\shop.exe", "cargo.exe"), "cargo run");
    assert_eq!(run("/s/target/wasm/release/shop", "cargo"), "cargo run");
    assert_eq!(run("/s/target/debug/shop", "bash"), "", "started by hand, or cargo became it");
    assert_eq!(run("/s/target/debug/deps/shop-12ab", "cargo"), "", "a test");
    assert_eq!(run("/tmp/go-build123/b001/exe/main", "go"), "go run");
    assert_eq!(run("/opt/exe/main", "go"), "");
}

#[test]
fn a_label_replaces_only_generic_names() {
    let mut vite = process(b"node", None, &[b"node", b"/s/node_modules/.bin/vite"]);
    assert!(!replaces_name(&vite), "it has no label");
    vite.script = Some("vite".into());
    assert!(replaces_name(&vite));
    vite.script = Some("other".into());
    assert!(!replaces_name(&vite), "the label may come from another version");
    let mut own = process(b"node", None, &[b"node", b"server.js"]);
    own.script = Some("server.js".into());
    assert!(!replaces_name(&own));
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic(
        name in prop::sample::select(vec!["node", "bun", "deno", "python3", "ruby", "php", "perl", "java", "dotnet", "beam.smp", "sh", ""]),
        words in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..12),
                "[-/@:.\\[\\]a-z]{0,12}".prop_map(String::into_bytes),
                prop::sample::select(vec!["-m", "-jar", "-cp", "run", "node_modules/", "node_modules/@a/b", "--", "-extra", "npm:@"])
                    .prop_map(|word| word.as_bytes().to_vec()),
            ],
            0..6,
        ),
    ) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let whole: Vec<&[u8]> = std::iter::once(name.as_bytes()).chain(words.iter().copied()).collect();
        for command in [&words, &whole] {
            let process = process(name.as_bytes(), None, command);
            let found = label(&process);
            // A process without an interpreter or a launcher has no label.
            if name.is_empty() && words.first().is_none_or(|first| !first.contains(&b' ') && interpreters::find(file_name(first)).is_none()) {
                prop_assert_eq!(&found, &None);
            }
            interpreter_name(&process);
        }
    }
}

#[test]
fn a_script_without_a_name() {
    for words in [
        &[&b"ruby"[..], b""][..],
        &[b"node", b"/srv/"],
        &[b"java", b"-jar", b"lib/"],
        &[b"java", b"-jar", b"--password=x"],
        &[b"python3", b"-m", b""],
        &[b"php", b"-f", b"--password=x"],
    ] {
        assert_eq!(label(&process(words[0], None, words)), None, "{words:?}");
    }
}

#[test]
fn served_folders() {
    all(&[
        ("php -S localhost:8000 -t public", "php -S -t public"),
        ("php -t public -S localhost:8000", "php -S -t public"),
        ("php -S localhost:8000", "php -S"),
        ("ruby -run -e httpd dist -p 8000", "ruby -run -e httpd dist"),
        ("ruby -run -ehttpd -p8000 .", "ruby -run -e httpd"),
        ("ruby -run -e httpd -- --port=8000 dist", "ruby -run -e httpd dist"),
        ("ruby -run -e httpd -- --port 8000", "ruby -run -e httpd"),
        ("ruby -run -ehttpd", "ruby -run -e httpd"),
        ("busybox httpd -f -p 8000 -h /srv/www", "busybox httpd -h /srv/www"),
        ("caddy file-server --root dist --listen :8000", "caddy file-server --root dist"),
        ("caddy file-server", "caddy file-server"),
        ("caddy run", ""),
        ("darkhttpd /srv/www --port 8000", "darkhttpd /srv/www"),
        ("darkhttpd --port 8000", ""),
    ]);
}
