extension RecoveryWords {
  /// The words of the list that prose is full of: those that most texts of a large collection of documentation have, and
  /// those of every day. One word in five of a random phrase is among them.
  static let common: StaticString = """
    able about above access account across action actual add address again agree all allow already also always \
    amount another any appear apple area around ask author avoid balance bar base basic because become before below \
    best better between body book bring build business buyer call can capital car case cash cause certain change \
    charge check child choice choose city claim clean client close cloud code coin color column come common company \
    consider control copy core correct cost cotton country cover cross crucial current custom cycle day deal decide \
    decline define demand describe design develop differ direct display document domain drop dry during early earn \
    east easy edit effort either element else empty enable end energy engine enough ensure entire entry equal error \
    example exchange exist exit expect explain express extend extra eye fall false family father feature fee feel \
    few field file filter final find fine fire first fitness fix floor fly follow food foot force forward found \
    fresh friend front fun future gain game gather general girl give glad glass gold good grant group grow guess \
    half hand happy hard have head health heart heavy help high hire history hold home hope hour human idea ignore \
    improve include income increase index indicate industry inform initial input inside install interest into invest \
    issue item job join judge jump just keep key kid kind kitchen know label lady lake language large later laugh \
    law left length letter level library license life like limit link list load local logic long machine mail main \
    major make man manual market match matter mean media member memory merge message method middle modify month more \
    mother move much must name need net network never next night normal note nothing notice now number object obtain \
    off often old once one only open option order original other output outside over own page parent party pass path \
    pattern people permit person place please point position possible power prepare present prevent price print \
    private problem process produce profit program project promote property provide public pull purpose put question \
    range rate rather raw real reason receive record reduce regular release remain remove replace report require \
    resource response result return ride right risk room rule run safe same save say school script search second \
    section security select sell service session setup share short side sign similar simple since size small source \
    space special stable start state step still story student style subject submit such sun sure swift switch system \
    table target task team tell term test text that then theory there they thing this three throw time title \
    together tool top total track trade tree trigger true trust try turn two type under unknown until update usage \
    use used useful usual valid various verify version very view wait want water way web what when where wide width \
    will window woman word work world write wrong year you zero
    """
}
