//! Servers and tools that run in an interpreter, and the arguments that belong to their label. A new one is one line.

use super::launch::Language;
use super::{LONGEST_WORD, Label, file_name, short, stem};

/// A server or tool.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its label.
    name: &'static str,
    /// Other names of its file, its package, its module or its main class.
    also: &'static [&'static str],
    arguments: LabelArguments,
}

/// The arguments that are part of the label.
#[derive(Debug)]
enum LabelArguments {
    Nothing,
    /// The first one, if it is one of these. The file may have that name instead.
    Known(&'static [&'static str]),
    /// The first one, and after these words the next one too.
    Word(&'static [&'static str]),
    /// The file it runs.
    File,
    /// The application: `shop.main:app`.
    Application,
    /// One of these words at any position, and the application that `--app` or `-A` names.
    Chosen(&'static [&'static str]),
}

use LabelArguments::{Application, Chosen, File, Known, Nothing, Word};

const fn tool(name: &'static str, also: &'static [&'static str], arguments: LabelArguments) -> Tool {
    Tool { name, also, arguments }
}

const SERVE: LabelArguments =
    Known(&["dev", "develop", "serve", "server", "start", "preview", "build", "watch", "test"]);

const JAVASCRIPT: &[Tool] = &[
    tool("vite", &[], SERVE),
    tool("next", &[], SERVE),
    tool("next-server", &[], Nothing),
    tool("nuxt", &["nuxi", "@nuxt/cli"], SERVE),
    tool("astro", &[], SERVE),
    tool("ng", &["@angular/cli"], Known(&["serve", "s", "test", "build", "e2e"])),
    tool("react-scripts", &[], SERVE),
    tool("vue-cli-service", &["@vue/cli-service"], SERVE),
    tool("webpack", &["webpack-cli"], Known(&["serve", "server", "watch", "build"])),
    tool("webpack-dev-server", &[], Nothing),
    tool("rspack", &["@rspack/cli"], SERVE),
    tool("rsbuild", &["@rsbuild/core"], SERVE),
    tool("rollup", &[], Nothing),
    tool("parcel", &[], SERVE),
    tool("gatsby", &[], SERVE),
    tool("remix", &["@remix-run/dev"], SERVE),
    tool("react-router", &["@react-router/dev"], SERVE),
    tool("svelte-kit", &["@sveltejs/kit"], SERVE),
    tool("storybook", &["start-storybook"], SERVE),
    tool("expo", &["@expo/cli"], SERVE),
    tool("react-native", &["@react-native-community/cli"], SERVE),
    tool("metro", &[], SERVE),
    tool("ember", &["ember-cli"], SERVE),
    tool("quasar", &["@quasar/cli", "@quasar/app-vite"], SERVE),
    tool("ionic", &["@ionic/cli"], SERVE),
    tool("nest", &["@nestjs/cli"], SERVE),
    tool("strapi", &["@strapi/strapi"], SERVE),
    tool("directus", &[], SERVE),
    tool("sanity", &[], SERVE),
    tool("medusa", &["@medusajs/cli"], SERVE),
    tool("vitepress", &[], SERVE),
    tool("vuepress", &[], SERVE),
    tool("docusaurus", &["@docusaurus/core"], SERVE),
    tool("eleventy", &["@11ty/eleventy"], Nothing),
    tool("hexo", &["hexo-cli"], SERVE),
    tool("slidev", &["@slidev/cli"], SERVE),
    tool("serve", &[], Nothing),
    tool("http-server", &[], Nothing),
    tool("live-server", &[], Nothing),
    tool("json-server", &[], Nothing),
    tool("browser-sync", &[], SERVE),
    tool("wrangler", &[], Known(&["dev", "pages"])),
    tool("netlify", &["netlify-cli", "ntl"], SERVE),
    tool("vercel", &[], SERVE),
    tool("firebase", &["firebase-tools"], Known(&["serve", "emulators:start"])),
    tool("turbo", &[], Word(&["run"])),
    tool("nx", &[], Word(&["run", "serve"])),
    tool("lerna", &[], Word(&["run", "exec"])),
    tool("gulp", &["gulp-cli"], Word(&[])),
    tool("grunt", &["grunt-cli"], Word(&[])),
    tool("vitest", &[], SERVE),
    tool("jest", &[], Nothing),
    tool("karma", &[], SERVE),
    tool("playwright", &["@playwright/test"], Word(&[])),
    tool("cypress", &[], Known(&["open", "run"])),
    tool("prisma", &[], Known(&["studio", "dev"])),
    tool("hardhat", &[], Known(&["node"])),
    tool("node-red", &[], Nothing),
    tool("n8n", &[], SERVE),
    tool("verdaccio", &[], Nothing),
    tool("code-server", &[], Nothing),
    tool("pm2", &["PM2"], Nothing),
    tool("nodemon", &[], File),
    tool("tsx", &[], File),
    tool("ts-node", &["ts-node-esm"], File),
    tool("ts-node-dev", &["tsnd"], File),
    tool("vite-node", &[], File),
    tool("babel-node", &["@babel/node"], File),
    tool("npm", &[], Word(&["run", "run-script", "exec", "x"])),
    tool("npx", &[], Word(&[])),
    tool("pnpm", &[], Word(&["run", "exec", "dlx"])),
    tool("pnpx", &[], Word(&[])),
    tool("yarn", &["yarnpkg"], Word(&["run", "exec", "dlx", "start"])),
];

const PYTHON: &[Tool] = &[
    tool("manage.py", &[], Word(&[])),
    tool("django", &["django-admin", "django-admin.py"], Word(&[])),
    tool("flask", &[], Chosen(&["run", "shell"])),
    tool("fastapi", &[], Known(&["dev", "run"])),
    tool("uvicorn", &[], Application),
    tool("gunicorn", &["gunicorn.app.wsgiapp"], Application),
    tool("hypercorn", &[], Application),
    tool("daphne", &[], Application),
    tool("granian", &[], Application),
    tool("waitress-serve", &["waitress"], Application),
    tool("sanic", &[], Application),
    tool("litestar", &[], Known(&["run"])),
    tool("celery", &["celeryd"], Chosen(&["worker", "beat", "flower"])),
    tool("dask", &["distributed.cli.dask_scheduler"], Known(&["scheduler", "worker"])),
    tool("dask scheduler", &["dask-scheduler"], Nothing),
    tool("dask worker", &["dask-worker"], Nothing),
    tool("jupyter", &[], Word(&[])),
    tool("jupyter-lab", &["jupyterlab"], Nothing),
    tool("jupyter-notebook", &["notebook"], Nothing),
    tool("jupyter-server", &["jupyter_server"], Nothing),
    tool("jupyterhub", &[], Nothing),
    tool("jupyter kernel", &["ipykernel_launcher", "ipykernel"], Nothing),
    tool("streamlit", &[], Known(&["run", "hello"])),
    tool("gradio", &[], File),
    tool("marimo", &[], Known(&["edit", "run"])),
    tool("bokeh", &[], Known(&["serve"])),
    tool("panel", &[], Known(&["serve"])),
    tool("tensorboard", &["tensorboard.main"], Nothing),
    tool("mlflow", &[], Known(&["server", "ui"])),
    tool("airflow", &[], Word(&[])),
    tool("dagster", &[], Word(&[])),
    tool("dagster-webserver", &["dagit"], Nothing),
    tool("prefect", &[], Word(&["server"])),
    tool("superset", &[], Known(&["run"])),
    tool("mkdocs", &[], SERVE),
    tool("sphinx-autobuild", &["sphinx_autobuild"], Nothing),
    tool("pelican", &[], Nothing),
    tool("pserve", &[], Nothing),
    tool("twistd", &["twisted"], Nothing),
    tool("scrapyd", &[], Nothing),
    tool("supervisord", &[], Nothing),
    tool("locust", &[], Nothing),
    tool("mitmproxy", &[], Nothing),
    tool("mitmweb", &[], Nothing),
    tool("mitmdump", &[], Nothing),
    tool("debugpy", &["debugpy.adapter"], Nothing),
    tool("pgadmin4", &[], Nothing),
    tool("odoo", &["odoo-bin"], Nothing),
    tool("ansible-playbook", &[], Nothing),
    tool("pytest", &["py.test"], Nothing),
    tool("pip", &[], Known(&["install", "download"])),
];

const RUBY: &[Tool] = &[
    tool("rails", &[], Word(&[])),
    tool("puma", &[], Nothing),
    tool("unicorn", &["unicorn_rails"], Nothing),
    tool("thin", &[], SERVE),
    tool("falcon", &[], SERVE),
    tool("passenger", &[], SERVE),
    tool("rackup", &[], Nothing),
    tool("webrick", &[], Nothing),
    tool("sidekiq", &[], Nothing),
    tool("resque", &[], Nothing),
    tool("jekyll", &[], Known(&["serve", "s", "server", "build"])),
    tool("middleman", &[], Known(&["server", "s", "serve"])),
    tool("bridgetown", &[], SERVE),
    tool("foreman", &[], SERVE),
    tool("bundle", &["bundler"], Word(&["exec"])),
    tool("rake", &[], Word(&[])),
    tool("spring", &[], Known(&["server"])),
];

const PHP: &[Tool] = &[
    tool("artisan", &[], Word(&[])),
    tool("console", &[], Word(&[])),
    tool("composer", &["composer.phar"], Word(&["run", "run-script", "exec"])),
    tool("wp", &["wp-cli.phar"], Known(&["server"])),
    tool("drush", &["drush.php"], Known(&["serve", "runserver", "rs"])),
];

const PERL: &[Tool] = &[
    tool("plackup", &[], Nothing),
    tool("starman", &[], Nothing),
    tool("morbo", &[], Nothing),
    tool("hypnotoad", &[], Nothing),
];

const JAVA: &[Tool] = &[
    tool("gradle", &["org.gradle.wrapper.GradleWrapperMain", "gradle-wrapper.jar"], Word(&[])),
    tool("gradle", &["org.gradle.launcher.GradleMain"], Word(&[])),
    tool("gradle daemon", &["org.gradle.launcher.daemon.bootstrap.GradleDaemon"], Nothing),
    tool("gradle worker", &["worker.org.gradle.process.internal.worker.GradleWorkerMain"], Nothing),
    tool("mvn", &["org.apache.maven.wrapper.MavenWrapperMain", "maven-wrapper.jar"], Word(&[])),
    tool("mvn", &["org.codehaus.plexus.classworlds.launcher.Launcher"], Word(&[])),
    tool("sbt", &["sbt-launch.jar", "xsbt.boot.Boot"], Word(&[])),
    tool("kotlin daemon", &["org.jetbrains.kotlin.daemon.KotlinCompileDaemon"], Nothing),
    tool("tomcat", &["org.apache.catalina.startup.Bootstrap"], Nothing),
    tool("kafka", &["kafka.Kafka"], Nothing),
    tool("zookeeper", &["org.apache.zookeeper.server.quorum.QuorumPeerMain"], Nothing),
    tool("cassandra", &["org.apache.cassandra.service.CassandraDaemon"], Nothing),
    tool("elasticsearch", &["org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch"], Nothing),
    tool("elasticsearch", &["org.elasticsearch.bootstrap.Elasticsearch"], Nothing),
    tool("opensearch", &["org.opensearch.bootstrap.OpenSearch"], Nothing),
    tool("solr", &["org.apache.solr.cli.SolrCLI"], Nothing),
    tool("logstash", &["org.logstash.Logstash"], Nothing),
    tool("neo4j", &["org.neo4j.server.CommunityEntryPoint"], Nothing),
    tool("spark", &["org.apache.spark.deploy.SparkSubmit"], Nothing),
    tool("activemq", &["activemq.jar"], Nothing),
    tool("quarkus dev", &["quarkus-run-dev.jar"], Nothing),
];

const ELIXIR: &[Tool] = &[tool("mix", &[], Word(&["do"])), tool("iex", &[], Nothing)];

/// Tools that replace their command line with a title, which identifies them without the program's file.
const SELF_TITLED: [(Language, &str); 9] = [
    (Language::JavaScript, "next-server"),
    (Language::JavaScript, "npm"),
    (Language::JavaScript, "pnpm"),
    (Language::JavaScript, "yarn"),
    (Language::Ruby, "puma"),
    (Language::Ruby, "unicorn"),
    (Language::Ruby, "sidekiq"),
    (Language::Python, "gunicorn"),
    (Language::Perl, "starman"),
];

/// Returns the tool of exactly this name.
pub(super) fn exact(language: Language, name: &[u8]) -> Option<&'static Tool> {
    let tools = match language {
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::Ruby => RUBY,
        Language::Php => PHP,
        Language::Perl => PERL,
        Language::Java => JAVA,
        Language::Elixir => ELIXIR,
        Language::Dotnet | Language::Shell => &[],
    };
    let is = |known: &str| known.as_bytes() == name;
    tools.iter().find(|tool| is(tool.name) || tool.also.iter().any(|also| is(also)))
}

/// Returns the tool of this name, or of the file with this path.
pub(super) fn named(language: Language, name: &[u8]) -> Option<&'static Tool> {
    let file = file_name(name);
    let file = file.strip_suffix(b".exe").unwrap_or(file);
    exact(language, name).or_else(|| exact(language, file))
}

/// Returns the label in a title: `puma 6.4 (tcp://0.0.0.0:3000) [shop]`, `gunicorn: master [shop:app]`.
pub(super) fn titled(words: &[&[u8]], language: Option<Language>) -> Option<Label> {
    let (first, rest) = words.split_first()?;
    let name = first.strip_suffix(b":").unwrap_or(first);
    let tool = match language {
        Some(language) => exact(language, name),
        None => {
            let (language, _) = SELF_TITLED.iter().find(|(_, known)| known.as_bytes() == name)?;
            exact(*language, name)
        }
    }?;
    Some(Label::Named(tool.with(name, rest).into()))
}

impl Tool {
    /// Returns its label with the arguments that belong to it. `file` is the name it was found by.
    pub(super) fn with(&self, file: &[u8], arguments: &[&[u8]]) -> Vec<u8> {
        let first = arguments.first().copied().and_then(short);
        let mut words = vec![self.name.as_bytes()];
        match &self.arguments {
            Nothing => {}
            Known(known) => {
                let is = |word: &&[u8]| known.iter().any(|known| known.as_bytes() == *word);
                let own = Some(stem(file_name(file))).filter(|own| *own != self.name.as_bytes());
                words.extend(first.filter(is).or(own.filter(is)));
            }
            Word(before) => {
                words.extend(first);
                let more = first.is_some_and(|first| before.iter().any(|word| word.as_bytes() == first));
                words.extend(arguments.get(1).copied().and_then(short).filter(|_| more));
            }
            File => {
                let watched = first == Some(b"watch");
                words.extend(first.filter(|_| watched));
                let path = arguments.get(usize::from(watched)).filter(|path| !path.starts_with(b"-"));
                words.extend(path.map(|path| file_name(path)).and_then(short));
            }
            Chosen(known) => {
                let is = |word: &&&[u8]| known.iter().any(|known| known.as_bytes() == **word);
                words.extend(arguments.iter().find(is));
                words.extend(application_option(arguments));
            }
            Application => {
                let bare = |word: &&'_ [u8]| is_application(trim(word));
                let found = arguments.iter().copied().find(bare).map(trim);
                words.extend(found.or(first.filter(|word| word.iter().all(is_module_letter))));
            }
        }
        words.join(&b' ')
    }
}

/// Returns the value of `--app` or `-A`: a module, a file or `module:factory`, without the arguments of a factory.
fn application_option<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut rest = arguments;
    let value = loop {
        let (word, after) = rest.split_first()?;
        match *word {
            b"--app" | b"-A" => break *after.first()?,
            b"--" => return None,
            word => match word.strip_prefix(b"--app=").or_else(|| word.strip_prefix(b"-A")) {
                Some(value) => break value,
                None => rest = after,
            },
        }
    };
    let end = value.iter().position(|byte| *byte == b'(').unwrap_or(value.len());
    short(file_name(value.get(..end)?)).filter(|word| is_plain(word))
}

/// Returns whether a word has only characters of names of modules and files.
pub(super) fn is_plain(word: &[u8]) -> bool {
    word.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b'+' | b'@'))
}

/// Returns whether a word has the form `module:name`, which addresses and paths do not have.
fn is_application(word: &[u8]) -> bool {
    let Some(at) = word.iter().position(|byte| *byte == b':') else { return false };
    let (module, name) = (word.get(..at).unwrap_or_default(), word.get(at + 1..).unwrap_or_default());
    let begins = |part: &[u8]| part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    word.len() <= LONGEST_WORD
        && begins(module)
        && begins(name)
        && module.iter().all(is_module_letter)
        && name.iter().all(|byte| is_module_letter(byte) || matches!(byte, b'(' | b')'))
}

fn is_module_letter(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// Returns a word without the brackets of a title.
fn trim(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")).unwrap_or(word)
}
