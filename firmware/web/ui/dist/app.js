"use strict";(()=>{var u={status:null,decisions:[],news_at:performance.now()};function T(t,e){let s=null,n=0,o=0,a=(c,g)=>fetch("/api/v1/"+c).then(async f=>f.ok&&g(await f.json())).catch(()=>{}),i=c=>{u.status=c,u.news_at=performance.now(),t()},r=c=>{u.decisions=[...u.decisions.filter(g=>g.time_ms>c[0]?.time_ms),...c],e()},d=c=>{u.decisions=[c,...u.decisions].slice(0,50),e()},p=()=>{let c=performance.now();o=document.hidden?o+1:0;let g=o<60;s&&(!g||c-Math.max(n,u.news_at)>5e3)&&(s.close(),s=null),g&&!s&&(n=c,a("status",i),s=new EventSource("/api/v1/events"),s.onopen=()=>a("decisions",f=>r(f.decisions)),s.addEventListener("status",f=>i(JSON.parse(f.data))),s.addEventListener("decision",f=>d(JSON.parse(f.data)))),e()};document.onvisibilitychange=p,setInterval(p,1e3),p()}var k=(t,e)=>t.nodes.filter(s=>s.place==e&&s.state!="disabled"),x=t=>t.state=="down"||t.state=="probing",h=t=>k(t,"cloud").reduce((e,s)=>e+s.in_flight,0),$=t=>t.water.line>0&&(t.water.level>=1||t.water.in_flight+h(t)>=t.water.line);function C(t){let e=k(t,"local"),s=k(t,"cloud"),n=t.share.cloud_requests>0;return e.length?e.every(o=>o.state=="unknown")?"waiting":e.every(x)?t.valve.overflow=="auto"&&s.some(o=>!x(o))?"silent":"stuck":$(t)?n?"full":"brim":n?"shared":t.share.local_requests||t.water.in_flight?"here":"idle":s.length?"cloud_only":"empty"}var D=12e4,E=5e3,J=1e3,m=[];function R(t){let e=performance.now(),s=t.water.in_flight;m.push([e,s,s+h(t)]),m=m.filter(n=>e-n[0]<D+E).slice(-J)}var z=()=>m;function q(t,e){let s=m.length?m[m.length-1][0]:0,n="",o=0;return m.forEach((a,i)=>{let r=o;o=Math.round(1e4*(1-(s-a[0])/D))/10,(!i||a[0]-m[i-1][0]>E)&&(n+=(i?`L${r},100Z`:"")+`M${o},100`),n+=`L${o},${(100-a[t]/e*100).toFixed(1)}`}),n&&n+`L${o},100Z`}var U="http://www.w3.org/2000/svg",l=(t,e,...s)=>({tag:t,attributes:e??{},children:s}),B=t=>t!=null&&t!==""&&typeof t!="boolean";function Z(t,e){for(let{name:s}of[...t.attributes])s in e||t.removeAttribute(s);for(let s in e){let n=e[s];s.startsWith("on")?t[s]=n:t.getAttribute(s)!=n&&t.setAttribute(s,n)}}function S(t,e){let s=t.flat(9).filter(B);for(s.forEach((n,o)=>{let a=e.childNodes[o],i=r=>{a?a.replaceWith(r):e.append(r),a=r};n.tag?(a?.localName!=n.tag&&i(document.createElementNS(n.tag=="svg"?U:e.namespaceURI,n.tag)),Z(a,n.attributes),S(n.children,a)):a?.nodeType!=3?i(new Text(n)):a.data!=n&&(a.data=n)});e.childNodes.length>s.length;)e.lastChild.remove()}var G=`other|中文|English
waiting|Waiting for the first reading.|正在等待第一次读数。
empty|No engine is connected yet.|尚未接入任何引擎。
cloud_only|No local engine: everything goes to the cloud.|没有本地引擎，请求全部转到云端。
silent|The local engine does not answer; everything goes to the cloud.|本地引擎没有响应，请求全部转到云端。
stuck|No engine answers.|没有引擎响应。
full|The local engine is full; $cloud of $all requests go to the cloud.|本地引擎已满，$all 个请求中有 $cloud 个溢出到云端。
brim|The local engine is full.|本地引擎已满。
shared|$local of $all requests are served here, $cloud in the cloud.|$all 个请求中，本地处理 $local 个，云端处理 $cloud 个。
here|All requests are served here: $all.|请求全部在本地处理，共 $all 个。
idle|All quiet: no requests just now.|一切平静，暂无请求。
lost|No news from the box for $s s.|已有 $s 秒没有收到设备的消息。
old|What you see below is old.|以下内容已过时。
queued|$queue waiting in the queue. |$queue 个请求在排队。
no_answer|$name does not answer. |$name 没有响应。
level|Water level|水位
of|$a of $b|$a / $b
now_local|in flight here|本地处理中
now_cloud|in the cloud|云端处理中
line|Overflow line|溢出线
past|2 min ago|2 分钟前
now|now|现在
window|Last $s s|最近 $s 秒
local|Local|本地
cloud|Cloud|云端
requests|Requests|请求
tokens|Tokens|词元
cost|Cost|费用
valve|Valve|阀门
open|Open|打开
closed|Closed|关闭
overflow|Overflow|溢出
holding|Hold|等待
auto|Automatic|自动
off|Off|停用
queue|Queue|排队
nodes|Nodes|节点
node|Node|节点
place|Place|位置
state|State|状态
load|In flight / line|处理中 / 溢出线
ttft|TTFT p50|首字时延 p50
tpot|TPOT p50|每字时延 p50
age|Reading|读数
ago|$t ago|$t前
up|Up|正常
slow_start|Slow start|缓启动
probing|Probing|探测中
down|Down|无响应
unknown|Unknown|未知
disabled|Disabled|已停用
decisions|Last decisions|最近决策
none|None yet.|暂无。
hold|Held|等待
refuse|Refused|拒绝
units| ms, s, min, h, d| 毫秒, 秒, 分钟, 小时, 天
`,F=t=>Object.fromEntries(G.split(`
`).map(e=>{let[s,n,o]=e.split("|");return[s,t=="zh"?o:n]})),b=(t,e)=>t.replace(/\$(\w+)/g,(s,n)=>e[n]);var K=3,Q=12,P="–",L=(t,e,s)=>e?b(s.of,{a:t,b:e}):t;function N(t,e){if(t==null)return P;let s=[1e3,60,60,24],n=0;for(;t>=s[n];)t/=s[n++];return(n==1&&t<10?t.toFixed(1):Math.round(t))+e.units.split(",")[n]}var w=(t,e,...s)=>l("section",{id:t},l("h2",null,e),s),_=(t,...e)=>l("tr",null,l("th",{scope:"row"},t),e.map(s=>l("td",null,s))),v=(t,e,s)=>l("rect",{class:t,width:"100%",y:e,height:s});function V({s:t,w:e}){let{in_flight:s,line:n}=t.water,o=h(t),a=z().reduce((p,c)=>Math.max(p,c[2]*1.1),Math.max(n*1.25,4)),i=p=>p/a*100+"%",r=p=>i(a-p),d=(p,c,g)=>l("span",null,l("b",{class:p},c)," ",g);return w("level",e.level,l("p",{class:"big"},d("local",L(s,n,e),e.now_local),d("cloud",o,e.now_cloud)),l("svg",{class:"basin","aria-hidden":"true"},l("svg",{width:"86%",viewBox:"0 0 1000 100",preserveAspectRatio:"none"},v("bed","0","100%"),l("path",{class:"cloud",d:q(2,a)}),l("path",{class:"local",d:q(1,a)})),l("svg",{x:"88%",width:"12%"},v("bed","0","100%"),v("cloud",r(s+o),i(o)),v("local",r(s),i(s))),n>0&&[l("line",{x2:"100%",y1:r(n),y2:r(n)}),l("text",{x:"8",y:r(n),dy:"-7"},e.line," ",n)]),l("p",{class:"ends"},l("span",null,e.past),l("span",null,e.now)))}function X({s:{share:t},w:e,language:s}){let n=t.local_requests+t.cloud_requests,o=n&&Math.round(t.local_requests/n*100),a=(r,d)=>r.toLocaleString(s,d),i=(r,d)=>l("th",{scope:"col",class:r},e[r]," ",n?d+"%":"");return w("share",b(e.window,{s:t.window_s}),l("svg",{class:"bar"},v(n?"cloud":"bed","0","100%"),l("rect",{class:"local",width:o+"%",height:"100%"})),l("table",null,l("thead",null,l("tr",null,l("td",null),i("local",o),i("cloud",100-o))),l("tbody",null,_(e.requests,a(t.local_requests),a(t.cloud_requests)),_(e.tokens,a(t.local_tokens),a(t.cloud_tokens)),_(e.cost,P,a(t.cloud_cost,{style:"currency",currency:t.currency,maximumFractionDigits:t.cloud_cost<1?4:2})))))}var Y=({s:t,s:{valve:e,queue:s},w:n})=>w("valve",n.valve,l("table",null,_(n.state,e.open||h(t)?n.open:n.closed),_(n.overflow,n[e.overflow]),_(n.holding,n[e.hold]),_(n.queue,L(s.length,s.length_max,n))));function ee({s:t,w:e}){let s=o=>o&&l("small",null,o),n=[[e.node,o=>[l("b",null,o.name),s(o.engine)]],[e.place,o=>l("span",{class:o.place},e[o.place])],[e.state,o=>[l("span",{class:"dot "+o.state},e[o.state]),s(o.why)]],[e.load,o=>L(o.in_flight,o.line,e)],[e.ttft,o=>N(o.ttft_ms_p50,e)],[e.tpot,o=>N(o.tpot_ms_p50,e)],[e.age,o=>o.age_ms==null?P:b(e.ago,{t:N(o.age_ms,e)})]];return w("nodes",e.nodes,l("table",null,l("thead",null,l("tr",null,n.map(([o])=>l("th",{scope:"col"},o)))),l("tbody",null,t.nodes.map(o=>l("tr",{role:"row"},n.map(([a,i])=>l("td",{role:"cell","data-name":a},l("div",null,i(o)))))))))}function te(t,{w:e,language:s}){let n=o=>l("b",{class:o},e[o]);return w("decisions",e.decisions,l("ol",null,t.slice(0,Q).map(o=>l("li",null,l("time",null,new Date(o.time_ms).toTimeString().slice(0,8)),n(o.verdict=="send"?o.place:o.verdict),l("span",null,o.words[s]),l("small",null,[o.node,o.model,o.key].filter(Boolean).join(" · "))))),!t.length&&e.none)}function ne(t){let e=u.status,s=Math.floor((performance.now()-u.news_at)/1e3);if(s>=K)return{what:"lost",text:b(t.lost,{s}),note:e&&t.old};if(!e)return{what:"waiting",text:t.waiting};let n=C(e),{local_requests:o,cloud_requests:a}=e.share,i=n=="silent"||n=="stuck",r={local:o,cloud:a,all:o+a||e.water.in_flight,queue:e.queue.length};return{what:n,text:b(t[n],r),note:(e.queue.length?b(t.queued,r):"")+(i?"":e.nodes.filter(x).map(d=>b(t.no_answer,d)).join(""))}}var O="",A="";function I(t,e,s){let n=u.status,{what:o,text:a,note:i}=ne(t);O!=e+o&&(O=e+o,A=a);let r={s:n,w:t,language:e};return[l("header",null,l("span",null,l("b",null,"Sluice")," ",n?.version),l("button",{lang:e=="en"?"zh":"en",onclick:s},t.other)),l("main",{class:o,"data-over":n&&$(n)?"yes":"no"},l("h1",null,a),l("p",{class:"note"},i),l("p",{class:"told",role:"status"},A),n&&[V(r),X(r),Y(r),ee(r),te(u.decisions,r)])]}var j="language";function oe(){try{return localStorage.getItem(j)}catch{}}var y=/^zh/.test(oe()??navigator.language)?"zh":"en",M=!1;function H(){M=!1,document.documentElement.lang=y=="zh"?"zh-CN":"en",S(I(F(y),y,se),document.body)}function W(){M||requestAnimationFrame(H),M=!0}function se(){y=y=="en"?"zh":"en",W();try{localStorage.setItem(j,y)}catch{}}T(()=>{R(u.status),W()},W);H();})();
