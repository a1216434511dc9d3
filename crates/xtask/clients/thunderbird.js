// What thunderbird.py has Thunderbird do, in Thunderbird's own context: through its windows where a person would use them, else through
// the interfaces its windows use.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const Flags = Ci.nsMsgFolderFlags;
const USES = { inbox: Flags.Inbox, drafts: Flags.Drafts, sent: Flags.SentMail, junk: Flags.Junk, trash: Flags.Trash, archive: Flags.Archive };

const main = () => Services.wm.getMostRecentWindow("mail:3pane");
const root = () => MailServices.accounts.defaultAccount.incomingServer.rootFolder;
const inbox = () => root().getFolderWithFlags(Flags.Inbox);
const pause = ms => new Promise(resolve => main().setTimeout(resolve, ms));

async function until(what, test, seconds = 90) {
  for (let tries = 0; tries < seconds * 10; tries++) {
    const value = await test();
    if (value) return value;
    await pause(100);
  }
  throw new Error(`not in ${seconds} s: ${what}`);
}

// A listener that answers all that these interfaces may tell, and a promise of the end.
function ending(start) {
  return new Promise((resolve, reject) => {
    const end = status => Components.isSuccessCode(status) ? resolve() : reject(new Error(`status ${status.toString(16)}`));
    start({
      QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener", "nsIMsgSearchNotify"]),
      OnStartRunningUrl() {}, OnStopRunningUrl: (url, status) => end(status),
      onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId: () => null, onStopCopy: end,
      OnStartCopy() {}, OnProgress() {}, SetMessageKey() {}, GetMessageId: () => null, OnStopCopy: end,
    });
  });
}

function message(folder, subject) {
  return [...folder.messages].find(header => header.mime2DecodedSubject === subject);
}

function known(folder, subject) {
  const header = message(folder, subject);
  if (!header) throw new Error(`${folder.name} has no message ${subject}`);
  return header;
}

async function makeAccount(address, password, imaps, submissions) {
  const server = MailServices.accounts.createIncomingServer(address, "localhost", "imap");
  Object.assign(server, { port: imaps, socketType: Ci.nsMsgSocketType.SSL, authMethod: Ci.nsMsgAuthMethod.passwordCleartext });
  Object.assign(server, { prettyName: "Hearthpost", password, loginAtStartUp: false });
  const outgoing = MailServices.outgoingServer.createServer("smtp");
  Object.assign(outgoing.QueryInterface(Ci.nsISmtpServer), { hostname: "localhost", port: submissions });
  Object.assign(outgoing, { socketType: Ci.nsMsgSocketType.SSL, authMethod: Ci.nsMsgAuthMethod.passwordCleartext });
  Object.assign(outgoing, { username: address, password });
  const identity = MailServices.accounts.createIdentity();
  Object.assign(identity, { email: address, fullName: "Alice", smtpServerKey: outgoing.key, composeHtml: false });
  const account = MailServices.accounts.createAccount();
  account.incomingServer = server;
  account.addIdentity(identity);
  MailServices.accounts.defaultAccount = account;
  return Services.appinfo.version;
}

async function openInbox() {
  root().server.performExpand(main().msgWindow);
  await until("folders with their uses", () => Object.values(USES).every(flag => root().getFolderWithFlags(flag)));
  main().document.getElementById("tabmail").currentAbout3Pane.displayFolder(inbox().URI);
  await until("a first message", () => inbox().getTotalMessages(false) > 0);
  return Object.fromEntries(Object.entries(USES).map(([use, flag]) => [use, root().getFolderWithFlags(flag).name]));
}

async function arrives(subject, seconds) {
  await until(`${subject} arrives`, () => message(inbox(), subject), seconds);
}

async function read(subject) {
  const pane = main().document.getElementById("tabmail").currentAbout3Pane;
  const header = known(inbox(), subject);
  await until(`${subject} in the list`, () => pane.gDBView && pane.gDBView.findIndexOfMsgHdr(header, false) < 0xffffffff);
  pane.threadTree.selectedIndex = pane.gDBView.findIndexOfMsgHdr(header, false);
  const shown = () => main().document.getElementById("tabmail").currentAboutMessage;
  await until(`${subject} is shown`, () => shown() && shown().gMessage === header && shown().msgLoaded);
  const body = shown().getMessagePaneBrowser().contentDocument?.body;
  await until("its text", () => body?.textContent.trim());
  await until("its mark as read", () => header.isRead);
  return { text: body.textContent, attachments: shown().currentAttachments.map(part => part.name) };
}

async function mark(subject) {
  inbox().markMessagesFlagged([known(inbox(), subject)], true);
  inbox().addKeywordsToMessages([known(inbox(), subject)], "$label1");
}

async function seesFlags(subject) {
  inbox().updateFolder(main().msgWindow);
  await until("what another program changed", () => !known(inbox(), subject).isFlagged);
}

async function move(subject, use) {
  const to = root().getFolderWithFlags(USES[use]);
  await ending(listener => MailServices.copy.copyMessages(inbox(), [known(inbox(), subject)], to, true, listener, main().msgWindow, false));
  await until("it is gone here", () => !message(inbox(), subject));
}

async function remove(subject) {
  await ending(listener => inbox().deleteMessages([known(inbox(), subject)], main().msgWindow, false, true, listener, true));
  await until("it is gone here", () => !message(inbox(), subject));
}

async function searchServer(words) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox());
  const term = session.createTerm();
  const value = term.value;
  Object.assign(value, { attrib: Ci.nsMsgSearchAttrib.Body, str: words });
  Object.assign(term, { attrib: Ci.nsMsgSearchAttrib.Body, op: Ci.nsMsgSearchOp.Contains, value, booleanAnd: true });
  session.appendTerm(term);
  const found = [];
  await new Promise(resolve => {
    session.registerListener({
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
      onSearchHit: header => found.push(header.mime2DecodedSubject), onSearchDone: resolve, onNewSearch() {},
    });
    session.search(main().msgWindow);
  });
  return found;
}

async function makeFolder(name) {
  root().createSubfolder(name, main().msgWindow);
  const folder = await until("the folder", () => root().descendants.find(folder => folder.name === name));
  await ending(listener => MailServices.copy.copyMessages(inbox(), [[...inbox().messages][0]], folder, false, listener, main().msgWindow, false));
}

async function compose(to, subject, text) {
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  Object.assign(fields, { to, subject, body: text });
  const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
  params.identity = MailServices.accounts.defaultAccount.defaultIdentity;
  params.composeFields = fields;
  params.format = Ci.nsIMsgCompFormat.PlainText;
  MailServices.compose.OpenComposeWindowWithParams(null, params);
  const window = await until("the window to write in", () => Services.wm.getMostRecentWindow("msgcompose"));
  await until("the window is ready", () => window.gMsgCompose?.editor && window.document.getElementById("msgSubject").value === subject);
}

async function send() {
  const window = Services.wm.getMostRecentWindow("msgcompose");
  window.goDoCommand("cmd_sendNow");
  await until("it is sent", () => window.closed);
}

async function quit() {
  main().setTimeout(() => Services.startup.quit(Ci.nsIAppStartup.eForceQuit), 200);
}
